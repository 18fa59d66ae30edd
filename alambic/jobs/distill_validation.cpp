#include "alambic/jobs/distill_validation.h"

#include <numeric>

#include "alambic/base/error.h"
#include "alambic/eval/agreement.h"

namespace alambic {

namespace {

// Agreement with the teachers, and exact match.
struct HeldOut {
  const Pretrained& student;
  TeacherMixture teachers;
  std::vector<int64_t> rows;  // by group of teachers
  std::shared_ptr<ValidationWriting> writing;
  size_t list = 0;  // completions to `rows`, in their order
  std::function<Metrics()> exact_match;

  Metrics operator()(int64_t) const {
    Metrics figures = exact_match();
    const std::vector<Request>& requests = writing->requests(list);
    const std::vector<Completion> completions = writing->take(list);
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

Validation distill_validation(const DistillSetup& setup) {
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
  const std::vector<Example> examples = rows.first(0);
  const auto writing =
      std::make_shared<ValidationWriting>(*student.model, plan.layers.get(), plan.world);
  const auto write = write_together(writing, plan.engine);
  if (!pool.evaluates_new_completions()) {
    if (examples.front().answers.empty()) {
      throw input_error(
          "--valid-data has no effect: no teacher can grade new completions ({}), and the rows of "
          "{} have no \"answer\"",
          pool.cached() ? "--teacher-cache" : "there is none", options.valid_data);
    }
    const auto figures = exact_match(student, examples, plan.engine, writing);
    return {[figures](int64_t) { return figures(); }, write};
  }
  EngineOptions engine = plan.engine;
  engine.step = UINT64_MAX;  // not a stream that training draws from
  HeldOut held_out{.student = student,
                   .teachers = pool.over({.examples = rows,
                                          .tokenized = tokenized,
                                          .max_completion = options.max_completion_length}),
                   .rows = std::vector<int64_t>(examples.size()),
                   .writing = writing,
                   .exact_match = exact_match(student, examples, engine, writing)};
  std::iota(held_out.rows.begin(), held_out.rows.end(), 0);
  held_out.rows = held_out.teachers.by_group(held_out.rows);
  std::vector<Request> requests;
  for (const int64_t row : held_out.rows) {
    requests.push_back({.prompt = tokenized[row].prompt, .id = static_cast<uint64_t>(row)});
  }
  held_out.list = writing->add(std::move(requests), engine);
  return {std::move(held_out), write};
}

}  // namespace alambic
