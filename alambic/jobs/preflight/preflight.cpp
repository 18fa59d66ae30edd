#include "alambic/jobs/preflight/preflight.h"

#include <fmt/format.h>

#include <algorithm>

#include "alambic/jobs/preflight/template_check.h"
#include "alambic/jobs/preflight/tokenizer_pair.h"
#include "alambic/text/chat/chat_tokens.h"

namespace alambic {

namespace {

std::string id_text(const std::optional<int32_t>& id) { return id ? std::to_string(*id) : "none"; }

void check_special(const Pretrained& student, const Pretrained& teacher, Findings& findings) {
  const SpecialTokens &a = student.tokenizer.special(), &b = teacher.tokenizer.special();
  const std::tuple<const char*, std::optional<int32_t>, std::optional<int32_t>> roles[] = {
      {"BOS", a.bos, b.bos}, {"EOS", a.eos, b.eos}};
  for (const auto& [role, of_student, of_teacher] : roles) {
    if (of_student == of_teacher) continue;
    findings.push_back({Level::warning, "special",
                        fmt::format("{} is token {} of the student and {} of the teacher", role,
                                    id_text(of_student), id_text(of_teacher)),
                        "the teacher grades an ending that it would not write"});
  }
}

void check_padding(const std::string& who, const Pretrained& loaded, Findings& findings) {
  const int64_t rows = loaded.model->shape().vocabulary;
  if (rows == loaded.vocabulary) return;
  findings.push_back({Level::good, "padding",
                      fmt::format("{}'s vocabulary is padded from {} to {} rows; the padded rows "
                                  "are cut before every softmax",
                                  who, loaded.vocabulary, rows),
                      ""});
}

Finding check_end(const Pretrained& student) {
  if (student.stop_tokens.empty()) {
    return {Level::refused, "EOS",
            "no EOS token: neither generation_config.json, config.json nor the tokenizer names "
            "one, so no completion ever ends",
            "set eos_token_id in the student's config.json"};
  }
  for (const int32_t id : student.stop_tokens) {
    if (id >= 0 && id < student.vocabulary) continue;
    return {Level::refused, "EOS",
            fmt::format("EOS cannot be reached: it is token {}, the tokenizer has {}", id,
                        student.vocabulary),
            "correct eos_token_id in the student's config.json"};
  }
  return {Level::good, "EOS", fmt::format("token {} ends an answer", student.stop_tokens.front()),
          ""};
}

int64_t shortest_context(const DistillPlan& plan) {
  int64_t positions = plan.student.model.model->shape().positions;
  for (const MetaModel* teacher : plan.alike_models()) {
    positions = std::min(positions, teacher->model.model->shape().positions);
  }
  return positions;
}

}  // namespace

namespace {

// A teacher with another vocabulary: by the option, or by its text alone.
void check_pair(const DistillPlan& plan, const PlannedTeacher& teacher, Findings& findings) {
  const bool grades = plan.objective.asks_teachers();
  const bool refused = grades && plan.options.teachers.cross_tokenizer == CrossTokenizer::none;
  if (refused) {
    findings.push_back(
        {Level::refused, "vocabulary", "the vocabularies differ: " + teacher.difference,
         "the teacher grades token by token, so both need the same tokenizer; "
         "--cross-tokenizer span compares runs of tokens that write the same bytes"});
  } else if (!grades) {
    findings.push_back({Level::good, "vocabulary",
                        teacher.difference + ": its completions are text, which needs no alignment",
                        ""});
    return;
  }
  for (Finding& finding : describe_pair(plan, teacher)) findings.push_back(std::move(finding));
}

}  // namespace

Findings check_vocabularies(const DistillPlan& plan) {
  Findings findings;
  const Pretrained& student = plan.student.model;
  for (const PlannedTeacher& teacher : plan.teachers) {
    if (!teacher.difference.empty()) check_pair(plan, teacher, findings);
  }
  if (findings.empty()) {
    findings.push_back({Level::good, "vocabulary",
                        fmt::format("all have the same {} tokens", student.vocabulary), ""});
  }
  check_padding("the student", student, findings);
  for (const MetaModel* teacher : plan.teacher_models()) {
    check_padding("the teacher " + teacher->folder, teacher->model, findings);
  }
  return findings;
}

Findings check_forms(const DistillPlan& plan) {
  Findings findings = {check_end(plan.student.model)};
  for (const MetaModel* teacher : plan.alike_models()) {
    check_special(plan.student.model, teacher->model, findings);
  }
  for (Finding& finding : check_templates(plan)) findings.push_back(std::move(finding));
  return findings;
}

namespace {

// Causes that draw the completions from another distribution than softmax(logits / wanted).
std::vector<std::string> sampling_causes(const Sampling& sampling, double wanted) {
  std::vector<std::string> causes;
  if (sampling.temperature != wanted) {
    causes.push_back(fmt::format("--temperature {}", sampling.temperature));
  }
  if (sampling.top_k > 0) causes.push_back(fmt::format("--top-k {}", sampling.top_k));
  if (sampling.top_p < 1) causes.push_back(fmt::format("--top-p {}", sampling.top_p));
  if (sampling.min_p > 0) causes.push_back(fmt::format("--min-p {}", sampling.min_p));
  return causes;
}

}  // namespace

Finding check_sampling(const DistillPlan& plan) {
  const DistillOptions& options = plan.options;
  const Policy& policy = plan.objective.policy;
  // A divergence is exact wherever it is taken; a policy gradient is an average over the draws.
  const bool averages = !policy.terms.empty();
  const double own = options.sampling.temperature > 0 ? options.sampling.temperature : 1;
  const double wanted = !averages ? 1 : policy.reads_teacher() ? options.loss.kd_temperature : own;
  const std::vector<std::string> causes = sampling_causes(options.sampling, wanted);
  if (causes.empty() || options.lmbda == 0) {
    return {Level::good, "sampling", "answers are drawn from the student's own distribution", ""};
  }
  return {
      averages ? Level::refused : Level::warning, "sampling",
      fmt::format("{} biases {}: the completions come from another distribution than the one that "
                  "is {}",
                  fmt::join(causes, ", "), options.loss.objective, averages ? "learned" : "graded"),
      fmt::format("--temperature {} --top-p 1 --top-k 0 --min-p 0 draws from the student itself",
                  wanted)};
}

Findings check_data(const DistillPlan& plan) {
  const DistillOptions& options = plan.options;
  const Tokenizer& tokenizer = plan.student.model.tokenizer;
  const int64_t positions = shortest_context(plan);
  const Examples& rows = plan.rows;
  int64_t empty = 0, too_long = 0, cut = 0, longest = 0;
  std::string first_empty, first_long;
  for (const Example row : rows) {
    int64_t length = std::ssize(prompt_ids(tokenizer, row));
    if (length == 0 && empty++ == 0) first_empty = row.place;
    cut += length < positions && length + options.max_completion_length > positions;
    if (options.lmbda < 1 && !options.completions.by_teacher()) {
      length += std::ssize(completion_ids(tokenizer, row));
    }
    if (length >= positions && too_long++ == 0) first_long = row.place;
    longest = std::max(longest, length);
  }
  Findings findings;
  if (empty > 0) {
    findings.push_back({Level::refused, "data",
                        fmt::format("{} of {} prompts are empty, the first is {}", empty,
                                    rows.size(), first_empty),
                        "remove these rows"});
  }
  if (too_long > 0) {
    const bool refused = options.long_rows.on_long_row == OnLongRow::error;
    findings.push_back({refused ? Level::refused : Level::warning, "data",
                        fmt::format("{} of {} rows are too long for a context of {} tokens, the "
                                    "first is {}, the longest has {}",
                                    too_long, rows.size(), positions, first_long, longest),
                        refused ? "shorten or remove these rows; --on-long-row skip leaves them out"
                                : "--on-long-row leaves them out or cuts them"});
  }
  if (cut > 0) {
    findings.push_back(
        {Level::warning, "data",
         fmt::format("{} of {} prompts leave less room than --max-completion-length {}: their "
                     "answers may be cut off",
                     cut, rows.size(), options.max_completion_length),
         "lower --max-completion-length, or shorten the prompts"});
  }
  if (findings.empty()) {
    findings.push_back({Level::good, "data",
                        fmt::format("{} rows, the longest has {} tokens", rows.size(), longest),
                        ""});
  }
  return findings;
}

Findings preflight(const DistillPlan& plan) {
  Findings findings = check_forms(plan);
  findings.push_back(check_sampling(plan));
  for (Finding& finding : check_memory(plan)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace alambic
