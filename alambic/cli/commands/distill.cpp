#include "alambic/base/file_system.h"
#include "alambic/jobs/distill_options.h"

#include <numeric>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/eval/agreement.h"
#include "alambic/hub/hub_models.h"
#include "alambic/jobs/distill_checks.h"
#include "alambic/jobs/distill_setup.h"
#include "alambic/jobs/preflight/preflight.h"
#include "alambic/jobs/run_folder.h"
#include "alambic/jobs/run_recorder.h"
#include "alambic/jobs/student.h"
#include "alambic/jobs/teacher_completions.h"
#include "alambic/jobs/teacher_pool.h"
#include "alambic/jobs/validation.h"
#include "alambic/options/config_toml.h"
#include "alambic/report/metrics.h"
#include "alambic/train/distillation.h"
#include "alambic/train/trainer.h"

namespace alambic {

namespace {

// Held-out figures: agreement with the teachers on the student's own completions, drawn alike each
// time, and exact match of greedy completions where the rows have one. A cached teacher cannot
// grade new completions.
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
    for (const auto& [name, value] : agreement(*student.model, teachers, batches)) {
      figures.emplace_back("valid_" + name, value);
    }
    return figures;
  }
};

std::function<Metrics(int64_t)> validation_of(const DistillOptions& options,
                                              const Pretrained& student, const TeacherPool& pool,
                                              const ChatSource& chats,
                                              const EngineOptions& engine) {
  if (options.valid_data.empty()) return {};
  std::vector<Example> examples =
      read_examples(options.valid_data, {{"prompt"}, {"messages"}}, chats.reader(ChatUse::prompts));
  if (static_cast<int64_t>(examples.size()) > options.valid_samples) {
    examples.resize(options.valid_samples);
  }
  if (!pool.evaluates_new_completions()) {
    if (!examples.front().answer) {
      throw input_error(
          "--valid-data has no effect: no teacher can grade new completions ({}), and the rows of "
          "{} have no \"answer\"",
          pool.cached() ? "--teacher-cache" : "there is none", options.valid_data);
    }
    return [&student, examples, engine](int64_t) {
      return validate_exact_match(student, examples, std::ssize(examples), engine);
    };
  }
  const auto tokenized =
      tokenize(examples, student.tokenizer, student.model->shape().positions, options.valid_data);
  Validation validation{.student = student,
                        .teachers = pool.over({.examples = examples,
                                               .tokenized = tokenized,
                                               .file = options.valid_data,
                                               .max_completion = options.max_completion_length}),
                        .engine = engine};
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

// The engine stops at the student's context; a teacher with a shorter one must see every
// completion.
void check_teacher_context(const DistillOptions& options, int64_t longest_prompt, int64_t student,
                           int64_t teacher) {
  const int64_t longest = std::min(longest_prompt + options.max_completion_length, student);
  if (longest <= teacher) return;
  throw input_error(
      "the teacher's context of {} is too short: a prompt of {} tokens with a completion of up to "
      "{} has {}",
      teacher, longest_prompt, options.max_completion_length, longest)
      .with_hint(fmt::format("--max-completion-length {} fits", teacher - longest_prompt));
}

int64_t longest_prompt(const std::vector<TokenizedExample>& examples) {
  size_t longest = 0;
  for (const TokenizedExample& example : examples) {
    longest = std::max(longest, example.prompt.size());
  }
  return static_cast<int64_t>(longest);
}

// The figures of a run that is resumed.
std::vector<Metrics> history_of(const fs::path& file) {
  std::vector<Metrics> history;
  if (!path_exists(file)) return history;
  for (const MetricsRow& row : read_metrics(file)) {
    Metrics& figures = history.emplace_back();
    for (const auto& [name, value] : row.entries) {
      if (const auto number = row.number(name)) figures.emplace_back(name, *number);
    }
  }
  return history;
}

ModelCard card_of(const DistillOptions& options, const Metrics& figures) {
  return {.title = fs::path(options.run.out).filename().string() + ", distilled",
          .base_model = options.student,
          .teacher = join(options.teachers.teacher),
          .tags = {"alambic", "distillation"},
          .facts = {{"objective", options.loss.objective},
                    {"share of own answers", fmt::format("{}", options.lmbda)},
                    {"data", options.data}},
          .figures = figures,
          .config = config_toml("distill", options, as_hub_name)};
}

}  // namespace

int run(const DistillOptions& options) {
  check_options(options);
  const LoadOptions load = prepare_machine(options.machine);
  const auto [chats, rows] = preflight(options, load);
  Pretrained student = load_student(options.student, load, options.trainable,
                                    static_cast<uint64_t>(options.training.seed));
  const TeacherPool pool(grading_teachers(options), options.loss, student, options.student, load);
  const int64_t positions = std::min(student.model->shape().positions, pool.positions());
  chats.add_end_of_turn(student.tokenizer, student.stop_tokens);
  std::vector<TokenizedExample> examples =
      tokenize(rows, student.tokenizer, positions, options.data);
  if (options.completions.by_teacher()) {
    fill_completions(options, student, rows, positions, load, examples);
  }
  check_teacher_context(options, longest_prompt(examples), student.model->shape().positions,
                        pool.positions());
  TeacherMixture teachers =
      pool.over({.examples = rows,
                 .tokenized = examples,
                 .file = options.data,
                 .max_completion = options.lmbda > 0 ? options.max_completion_length : 0});
  const EngineOptions engine = engine_of(options, student);
  const auto validate = validation_of(options, student, pool, chats, engine);
  AuxiliaryModels auxiliary = load_auxiliary_models(options, student, rows, load);
  const DistillationSettings settings = distillation_settings(options, student, pool, rows);

  const RunFolder folder("distill", options, options.run);
  const std::unique_ptr<TrainingTask> task =
      distillation_task(*student.model, std::move(teachers), std::move(examples), student.tokenizer,
                        settings, std::move(auxiliary));
  const std::unique_ptr<Recorder> recorder = run_recorder(
      folder.path(), "distill", {options.training.max_steps, options.training.max_seconds});
  CollapseWatch watch(static_cast<double>(options.max_completion_length));
  const TrainingResult result =
      train(options.training,
            {.student = *student.model,
             .task = *task,
             .recorder = *recorder,
             .validate = validate,
             .checkpoints = folder.checkpoints(),
             .watch = &watch,
             .on_collapse = options.on_collapse,
             .history = folder.resumes() ? history_of(folder.metrics()) : std::vector<Metrics>()},
            folder.resumes());
  if (result.stopped) {
    say("stopped after step {}; the same command with --resume continues", result.steps);
    return static_cast<int>(Exit::stopped);
  }
  if (!result.collapse.empty() && options.on_collapse == OnCollapse::stop) {
    throw Error(Exit::refused,
                fmt::format("stopped after step {}: {}", result.steps, result.collapse),
                "a lower --learning-rate; --resume --on-collapse warn goes on all the same");
  }
  export_student(student, options.student, options.trainable, folder.path(),
                 card_of(options, result.validation), options.run.save_dtype);
  chats.save_to(folder.model());
  say("wrote {} after {} steps in {:.0f} s", folder.model().string(), result.steps, result.seconds);
  return 0;
}

}  // namespace alambic
