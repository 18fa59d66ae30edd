#include "alambic/jobs/distill_validation.h"

#include <numeric>

#include "alambic/base/error.h"
#include "alambic/eval/agreement.h"
#include "alambic/jobs/validation.h"

namespace alambic {

namespace {

struct Validation {
  const Pretrained& student;
  TeacherMixture teachers;
  std::vector<Example> examples;
  std::vector<Request> requests;  // in the order of `rows`
  std::vector<int64_t> rows;      // by group of teachers
  EngineOptions engine;

  Metrics operator()(int64_t) const {
    Metrics figures = validate_exact_match(student, examples, std::ssize(examples), engine);
    const std::vector<Completion> completions = generate(*student.model, requests, engine);
    std::vector<Rollouts> batches;
    for (const auto& [first, count, group] : teachers.pieces(rows, 0)) {
      batches.push_back(to_rollouts(std::span(requests).subspan(first, count),
                                    std::span(completions).subspan(first, count), 0,
                                    student.model->options().device()));
      batches.back().row_S.assign(rows.begin() + first, rows.begin() + first + count);
    }
    for (const auto& [name, value] :
         agreement(*student.model, teachers, batches, student.vocabulary)) {
      figures.emplace_back("valid_" + name, value);
    }
    return figures;
  }
};

}  // namespace

std::function<Metrics(int64_t)> distill_validation(const DistillSetup& setup) {
  const DistillPlan& plan = setup.plan();
  const DistillOptions& options = plan.options;
  const Pretrained& student = setup.student();
  const TeacherPool& pool = setup.teachers();
  if (options.valid_data.empty()) return {};
  Examples rows =
      Examples(Dataset::open(options.valid_data, parse_columns(options.data_form.columns)),
               {{"prompt"}, {"messages"}}, plan.chats.reader(ChatUse::prompts))
          .limit(static_cast<size_t>(options.valid_samples));
  RowFit fit{.positions = student.model->shape().positions,
             .on_long_row = options.long_rows.on_long_row};
  const TokenizedRows tokenized = TokenizedRows::of(rows, student.tokenizer, fit);
  fit.report(options.valid_data);
  if (fit.skipped > 0) rows = rows.select(tokenized.rows());
  std::vector<Example> examples = rows.first(0);
  if (!pool.evaluates_new_completions()) {
    if (examples.front().answers.empty()) {
      throw input_error(
          "--valid-data has no effect: no teacher can grade new completions ({}), and the rows of "
          "{} have no \"answer\"",
          pool.cached() ? "--teacher-cache" : "there is none", options.valid_data);
    }
    return [&student, examples, engine = plan.engine](int64_t) {
      return validate_exact_match(student, examples, std::ssize(examples), engine);
    };
  }
  Validation validation{.student = student,
                        .teachers = pool.over({.examples = rows,
                                               .tokenized = tokenized,
                                               .max_completion = options.max_completion_length}),
                        .engine = plan.engine};
  validation.rows.resize(examples.size());
  std::iota(validation.rows.begin(), validation.rows.end(), 0);
  validation.rows = validation.teachers.by_group(validation.rows);
  for (const int64_t row : validation.rows) {
    validation.requests.push_back(
        {.prompt = tokenized[row].prompt, .id = static_cast<uint64_t>(row)});
  }
  validation.examples = std::move(examples);
  // Not a stream that training draws from.
  validation.engine.step = UINT64_MAX;
  return validation;
}

}  // namespace alambic
