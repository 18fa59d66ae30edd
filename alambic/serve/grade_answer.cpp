#include "alambic/serve/grade_answer.h"

#include <fmt/core.h>

#include <cmath>

#include "alambic/io/safetensors_bytes.h"
#include "alambic/serve/json_text.h"

namespace alambic {

using Json = nlohmann::ordered_json;

namespace {

constexpr int64_t most_entries = int64_t{1} << 26, most_json_entries = int64_t{1} << 21;

void read_sequences(const RequestFields& fields, const ServedModel& model, GradeJob& job) {
  if (!fields.find("sequences")) {
    throw ApiError(400, "the request has no field 'sequences'", "sequences");
  }
  fields.read("sequences", [&](const JsonView& json) {
    for (const JsonView& sequence : json.items()) {
      job.sequences.push_back(read_ids(sequence, model.vocabulary));
      const auto length = std::ssize(job.sequences.back());
      if (length < 1) throw sequence.wrong("expected at least one token id");
      if (length > model.context) {
        throw sequence.wrong(
            fmt::format("expected at most {} token ids, the model's context", model.context));
      }
    }
    if (job.sequences.empty()) throw json.wrong("expected a list of lists of token ids");
    return 0;
  });
  if (!fields.find("from")) {
    job.from.assign(job.sequences.size(), 1);
    return;
  }
  fields.read("from", [&](const JsonView& json) {
    for (const JsonView& first : json.items()) {
      if (job.from.size() == job.sequences.size()) break;
      // The first token follows nothing, and a sequence whose rows begin at its end has none.
      job.from.push_back(first.integer(1, std::ssize(job.sequences[job.from.size()])));
    }
    if (job.from.size() != job.sequences.size() || json.array().size() != job.from.size()) {
      throw json.wrong("expected one first position for each sequence");
    }
    return 0;
  });
}

std::map<std::string, std::string> facts_of(const GradeJob& job, const ServedModel& model) {
  std::map<std::string, std::string> facts = {{"model", model.name},
                                              {"tokenizer", model.tokenizer->digest()}};
  if (job.hidden) {
    facts["head"] = model.head_digest();
  } else {
    facts["temperature"] = fmt::format("{}", job.temperature);
  }
  return facts;
}

template <class T>
TensorView view_of(const char* name, Dtype dtype, const std::vector<int64_t>& shape,
                   const std::vector<T>& values) {
  return {.name = name, .dtype = dtype, .shape = shape, .bytes = std::as_bytes(std::span(values))};
}

Json rows_json(const Grades& grades, int64_t row) {
  const auto number = [](float value) { return std::isfinite(value) ? Json(value) : Json(); };
  Json logps = Json::array(), tokens = Json::array();
  for (int64_t at = row * grades.k; at < (row + 1) * grades.k; ++at) {
    logps.push_back(number(grades.topk_logp[static_cast<size_t>(at)]));
    tokens.push_back(grades.topk_token[static_cast<size_t>(at)]);
  }
  return {{"logp", number(grades.logp[static_cast<size_t>(row)])},
          {"token", std::move(tokens)},
          {"topk_logp", std::move(logps)}};
}

}  // namespace

std::shared_ptr<GradeJob> read_grade_request(const RequestFields& fields,
                                             const ServedModel& model) {
  auto job = std::make_shared<GradeJob>();
  const std::string digest = fields.text("tokenizer", "");
  if (!digest.empty() && digest != model.tokenizer->digest()) {
    throw ApiError(409,
                   fmt::format("the tokenizer of {} has the digest {}, the request's has {}: their "
                               "token ids may mean other tokens",
                               model.name, model.tokenizer->digest(), digest),
                   "tokenizer", "other_tokenizer");
  }
  job->hidden = fields.flag("hidden", false);
  job->k = fields.integer("topk", 0, 0, model.vocabulary);
  job->temperature = fields.number("temperature", 1, 1e-3, 1e3);
  if (job->hidden && job->k > 0) {
    throw ApiError(400, "'topk' and 'hidden' exclude each other", "hidden");
  }
  read_sequences(fields, model, *job);
  if (job->rows() * std::max<int64_t>(1, job->k) > most_entries) {
    throw ApiError(413, fmt::format("{} rows of {} tokens; an answer has {} entries at most",
                                    job->rows(), job->k, most_entries));
  }
  return job;
}

std::string grades_safetensors(const Grades& grades, const GradeJob& job,
                               const ServedModel& model) {
  const auto rows = grades.offsets.back();
  std::vector<TensorView> tensors = {
      view_of("offsets", Dtype::I64, {std::ssize(grades.offsets)}, grades.offsets)};
  if (job.hidden) {
    tensors.push_back({.name = "hidden",
                       .dtype = grades.dtype == "BF16" ? Dtype::BF16 : Dtype::F32,
                       .shape = {rows, grades.width},
                       .bytes = std::as_bytes(std::span(grades.hidden))});
  } else {
    tensors.push_back(view_of("logp", Dtype::F32, {rows}, grades.logp));
    tensors.push_back(view_of("topk_logp", Dtype::F32, {rows, grades.k}, grades.topk_logp));
    tensors.push_back(view_of("token", Dtype::I32, {rows, grades.k}, grades.topk_token));
  }
  return safetensors_bytes(tensors, facts_of(job, model));
}

std::string grades_json(const Grades& grades, const GradeJob& job, const ServedModel& model) {
  Json json = facts_of(job, model);
  json["offsets"] = grades.offsets;
  Json logp = Json::array(), tokens = Json::array(), topk = Json::array();
  for (int64_t row = 0; row < grades.offsets.back(); ++row) {
    Json entry = rows_json(grades, row);
    logp.push_back(std::move(entry["logp"]));
    tokens.push_back(std::move(entry["token"]));
    topk.push_back(std::move(entry["topk_logp"]));
  }
  json["logp"] = std::move(logp);
  json["token"] = std::move(tokens);
  json["topk_logp"] = std::move(topk);
  return compact_json(json);
}

GradeAnswer::GradeAnswer(std::shared_ptr<GradeJob> job, GradeForm form, const ServedModel& model,
                         WorkQueue& queue, const Wake& wake)
    : job_(std::move(job)), form_(form), model_(model) {
  if (form == GradeForm::json && job_->hidden) {
    throw ApiError(406, "hidden states come as application/x-safetensors alone", "hidden");
  }
  if (form == GradeForm::json && job_->rows() * (job_->k + 1) > most_json_entries) {
    throw ApiError(413,
                   fmt::format("{} log-probabilities; an answer in JSON has {} at most: accept "
                               "application/x-safetensors",
                               job_->rows() * (job_->k + 1), most_json_entries));
  }
  job_->wake = wake;
  queue.submit({.sequences = {}, .grade = job_});
}

std::optional<HttpAnswer> GradeAnswer::whole() {
  if (!job_->ended()) return std::nullopt;
  if (!job_->failure().empty()) return error_answer(ApiError(500, job_->failure()));
  if (form_ == GradeForm::json) {
    return HttpAnswer{.body = grades_json(job_->grades(), *job_, model_)};
  }
  return HttpAnswer{.content_type = "application/x-safetensors",
                    .body = grades_safetensors(job_->grades(), *job_, model_)};
}

}  // namespace alambic
