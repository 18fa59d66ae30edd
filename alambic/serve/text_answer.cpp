#include "alambic/serve/text_answer.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "alambic/serve/answer_json.h"
#include "alambic/serve/event_stream.h"
#include "alambic/serve/json_text.h"

namespace alambic {

namespace {

constexpr int64_t most_json_entries = int64_t{1} << 21;
constexpr std::string_view chunk_end = "]}";

std::string new_id(TextForm form) {
  std::random_device device;
  return fmt::format("{}-{:08x}{:08x}{:08x}", form == TextForm::chat ? "chatcmpl" : "cmpl",
                     device(), device(), device());
}

std::shared_ptr<GradeJob> grade_of(const TextRequest& request, size_t model, const Wake& wake) {
  if (request.graded_top() < 0) return nullptr;
  auto grade = std::make_shared<GradeJob>();
  grade->model = model;
  grade->sequences = request.prompts;
  grade->from.assign(request.prompts.size(), 1);
  grade->k = request.graded_top();
  grade->wake = wake;
  return grade;
}

void check_size(const TextRequest& request, const GradeJob* grade) {
  const int64_t choices = std::ssize(request.prompts) * request.n;
  int64_t entries = choices * request.max_tokens * std::max<int64_t>(0, request.logprobs);
  if (grade != nullptr) entries += grade->rows() * request.n * (grade->k + 1);
  if (entries <= most_json_entries) return;
  throw ApiError(413, fmt::format("up to {} log-probabilities are asked for; an answer in JSON has "
                                  "{} at most: ask for fewer a token, for fewer tokens, or "
                                  "/v1/grade",
                                  entries, most_json_entries));
}

}  // namespace

TextAnswer::TextAnswer(TextRequest request, size_t model_index, const ServedModel& model,
                       WorkQueue& queue, const Wake& wake)
    : request_(std::move(request)),
      model_(model),
      grade_(grade_of(request_, model_index, wake)),
      id_(new_id(request_.form)),
      created_(std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count()) {
  check_size(request_, grade_.get());
  CallWork work{.grade = grade_};
  const auto choices = std::ssize(request_.prompts) * request_.n;
  if (choices > 4096) throw ApiError(413, fmt::format("{} choices; 4096 is the most", choices));
  for (int64_t index = 0; index < choices; ++index) {
    auto job = std::make_shared<SequenceJob>();
    job->model = model_index;
    job->prompt = request_.prompts[static_cast<size_t>(index / request_.n)];
    job->draws = request_.draws;
    job->choice = static_cast<uint64_t>(index);
    job->max_tokens = request_.max_tokens;
    job->stop_tokens = request_.stop_token_ids;
    job->ignore_eos = request_.ignore_eos;
    job->alternatives = request_.logprobs;
    job->wake_at_tokens = request_.stream || !request_.stops.empty();
    job->wake = wake;
    AnswerText text(*model.tokenizer, job->prompt, request_.stops, request_.skip_special_tokens);
    std::optional<ToolCallReader> tools;
    if (request_.tool_calls != ToolCallForm::none) {
      tools.emplace(request_.tool_calls, request_.tools, request_.one_call);
    }
    choices_.emplace_back(static_cast<size_t>(index), job, std::move(text), std::move(tools));
    if (job->max_tokens > 0) {
      work.sequences.push_back(std::move(job));
    } else {
      job->end(JobEnd::length);
    }
  }
  if (request_.stream) {
    chunk_ = compact_json(answer_frame({request_, model_, id_, created_}, true));
    chunk_.resize(chunk_.size() - chunk_end.size());
  }
  queue.submit(work);
}

// True when everything is there.
bool TextAnswer::update() {
  bool complete = true;
  for (AnswerChoice& choice : choices_) {
    choice.update();
    complete &= !choice.finish_reason().empty();
  }
  if (!grade_) return complete;
  if (!grade_->ended()) return false;
  if (!grade_->failure().empty()) throw ApiError(500, grade_->failure());
  return complete;
}

std::optional<HttpAnswer> TextAnswer::whole() {
  try {
    if (!update()) return std::nullopt;
  } catch (const ApiError& error) {
    cancel();
    return error_answer(error);
  }
  const AnswerHead head{request_, model_, id_, created_};
  nlohmann::ordered_json json = answer_frame(head, false);
  for (AnswerChoice& choice : choices_) {
    const AnswerChoice::Part part = *choice.next_part();
    json["choices"].push_back(
        request_.form == TextForm::chat
            ? chat_choice(head, choice, part, false)
            : completion_choice(head, choice, part, grade_ ? &grade_->grades() : nullptr));
  }
  if (request_.form == TextForm::chat && request_.prompt_logprobs >= 0) {
    json["prompt_logprobs"] = prompt_logprobs_json(*model_.tokenizer, request_.prompts[0],
                                                   grade_->grades(), 0, request_.prompt_logprobs);
  }
  json["usage"] = usage_json(request_, choices_);
  return HttpAnswer{.body = compact_json(json)};
}

// A token's event is made for every client at every step: only its choice is made anew.
void TextAnswer::append_chunk(std::string& out, const nlohmann::ordered_json& choice) const {
  append_event(out, chunk_ + compact_json(choice).append(chunk_end));
}

// The role comes before the first word.
void TextAnswer::begin_stream(std::string& out) {
  begun_ = true;
  if (request_.form != TextForm::chat) return;
  for (const AnswerChoice& choice : choices_) {
    append_chunk(out, {{"index", choice.index()},
                       {"delta", {{"role", "assistant"}, {"content", ""}}},
                       {"logprobs", nullptr},
                       {"finish_reason", nullptr}});
  }
}

bool TextAnswer::read(std::string& out) {
  if (ended_) return false;
  if (!begun_) begin_stream(out);
  const AnswerHead head{request_, model_, id_, created_};
  try {
    ended_ = update();
    for (AnswerChoice& choice : choices_) {
      const std::optional<AnswerChoice::Part> part = choice.next_part();
      if (!part) continue;
      append_chunk(out, request_.form == TextForm::chat
                            ? chat_choice(head, choice, *part, true)
                            : completion_choice(head, choice, *part, nullptr));
    }
  } catch (const ApiError& error) {
    cancel();
    append_event(out, error_json(error));
    ended_ = true;
  }
  if (!ended_) return true;
  if (request_.include_usage) {
    nlohmann::ordered_json json = answer_frame(head, true);
    json["usage"] = usage_json(request_, choices_);
    append_event(out, compact_json(json));
  }
  append_event(out, stream_end);
  return false;
}

void TextAnswer::cancel() {
  for (AnswerChoice& choice : choices_) choice.cancel();
  if (grade_) grade_->cancel();
}

}  // namespace alambic
