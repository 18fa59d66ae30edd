#include "alambic/jobs/distill_setup.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/jobs/left_out_settings.h"
#include "alambic/jobs/same_inputs.h"
#include "alambic/jobs/sharding.h"
#include "alambic/jobs/student.h"
#include "alambic/jobs/teacher_completions.h"
#include "alambic/teacher/local.h"
#include "alambic/teacher/reward_scorer.h"
#include "alambic/teacher/rewards.h"
#include "alambic/text/chat/chat_tokens.h"

namespace alambic {

namespace {

MixedTeacher mixed_teacher_of(const DistillPlan& plan, const TeacherPool& pool) {
  const double share = plan.options.loss.teacher_mix;
  if (share == 0) return {};
  for (size_t r = 0; r < plan.rows.size(); ++r) {
    if (!plan.rows.may_have(r, "teacher_prompt")) continue;
    const Example row = plan.rows[r];
    if (!row.teacher_prompt) continue;
    throw input_error(
        "{}: --teacher-mix draws with student and teacher from one prompt, but the row has a "
        "\"teacher_prompt\"",
        row.place);
  }
  check(pool.only_model() != nullptr, "no teacher to mix in");
  return {.model = pool.only_model(), .share = share};
}

HiddenMatchOptions hidden_match(const DistillPlan& plan) {
  const ObjectiveOptions& loss = plan.options.loss;
  if (plan.layer_pairs.empty()) return {};
  const PlannedTeacher& teacher = plan.teachers.front();
  const int64_t own = plan.student.model.model->shape().width;
  const int64_t other = teacher.model ? teacher.model->model.model->shape().width : own;
  std::vector<std::string> words;
  for (const LayerPair& pair : plan.layer_pairs) {
    words.push_back(fmt::format("{}:{}", pair.student + 1, pair.teacher + 1));
  }
  say("hidden states of layers {} (student:teacher){}", join(words),
      own == other ? "" : fmt::format(", through projections from {} to {} numbers", own, other));
  return {.weight = loss.hidden_weight,
          .measure = loss.hidden_distance,
          .pairs = plan.layer_pairs,
          .student_width = own,
          .teacher_width = other,
          .seed = static_cast<uint64_t>(plan.options.training.seed)};
}

DistillationSettings distillation_settings(const DistillPlan& plan, const TeacherPool& pool) {
  const DistillOptions& options = plan.options;
  EngineOptions engine = plan.engine;
  engine.mixed_teacher = mixed_teacher_of(plan, pool);
  const bool spans = options.teachers.cross_tokenizer == CrossTokenizer::span;
  return {.divergence = plan.objective.divergence,
          .policy = plan.objective.policy,
          .advantage = options.loss.advantage,
          .hidden = hidden_match(plan),
          .ce_weight = options.loss.ce_weight + plan.objective.cross_entropy,
          .lmbda = options.lmbda,
          .batch_size = options.training.batch_size,
          .num_generations = options.num_generations,
          .num_iterations = options.loss.num_iterations,
          .micro_batch_size = options.training.micro_batch_size,
          .samples_spans = spans && !plan.objective.divergence.terms.empty(),
          .span_lookahead = options.teachers.span_lookahead,
          .recompute_layers = options.training.activation_checkpointing,
          .shares = plan.rows.shares(),
          .world = plan.world,
          .layers = plan.layers,
          .teachers_layers = pool.layers(),
          .teacher_ranks = plan.teacher_ranks,
          .max_staleness = options.teachers.max_staleness,
          .seed = static_cast<uint64_t>(options.training.seed),
          .engine = engine};
}

std::shared_ptr<const RewardScorer> load_scorer(const DistillPlan& plan) {
  const std::string& out = plan.options.run.out;
  std::shared_ptr<const Reward> reward = load_reward(
      plan.options.reward, plan.load, out.empty() ? fs::path() : fs::path(out) / "remote/judge",
      fmt::format("rank-{}", plan.world->rank()));
  std::vector<std::vector<std::string>> expected;
  for (const Example row : plan.rows) {
    if (reward->needs_expected() && row.answers.empty()) {
      throw input_error("{}: no \"answer\" that the score could compare with", row.place);
    }
    expected.push_back(row.answers);
  }
  return std::make_shared<TextRewardScorer>(std::move(reward), plan.student.model.tokenizer,
                                            std::move(expected));
}

// Scorer of the completions, and the student as it was before the run.
AuxiliaryModels load_auxiliary_models(const DistillPlan& plan) {
  AuxiliaryModels auxiliary;
  const Policy& policy = plan.objective.policy;
  if (policy.has(PolicyKind::grpo)) auxiliary.reward = load_scorer(plan);
  if (policy.kl_weight > 0) {
    auxiliary.reference = std::make_shared<LocalTeacher>(load_model(plan.student.folder, plan.load),
                                                         plan.student.model.vocabulary);
  }
  return auxiliary;
}

}  // namespace

DistillSetup::DistillSetup(DistillPlan plan) : plan_(std::move(plan)) {
  const DistillOptions& options = plan_.options;
  say_left_out(student().generation_config, plan_.student.folder,
               "completions are drawn without them: the teacher grades the student's own "
               "distribution, and what changes it before the draw would make the loss another one");
  const ShardingOptions& sharding = options.sharding;
  plan_.layers = student_layers(*student().model, *plan_.world, sharding);
  LoadOptions load = plan_.load;
  load.layers = plan_.layers.get();
  load_student_weights(student(), plan_.student.folder, load, options.trainable,
                       static_cast<uint64_t>(options.training.seed));
  require_same_weights(*plan_.world, *student().model, plan_.layers.get(), "the student");
  take_over(*student().model, plan_.layers.get());
  plan_.engine.ranks = writing_ranks(*plan_.world, sharding, *student().model);
  teachers_ = std::make_unique<TeacherPool>(plan_);
  fit_rows();
  if (teachers_->lacks_positions()) {
    teachers_->try_length(longest_text());
    fit_rows();
  }
  if (options.completions.by_teacher() && options.lmbda < 1) {
    // The others find on the disk what rank 0 has had written.
    FilledCompletions filled =
        plan_.world->first_alone("waiting for the teacher's completions",
                                 [&] { return fill_completions(plan_, positions(), examples_); });
    if (filled.rows.size() < plan_.rows.size()) plan_.rows = plan_.rows.select(filled.rows);
    written_ = std::move(filled.spent);
  }
  require_same_rows(*plan_.world, examples_);
}

int64_t DistillSetup::positions() const {
  return std::min(student().model->shape().positions, teachers_->positions());
}

void DistillSetup::fit_rows() {
  RowFit fit{.positions = positions(), .on_long_row = plan_.options.long_rows.on_long_row};
  examples_ = TokenizedRows::of(plan_.rows, student().tokenizer, fit);
  fit.report(plan_.rows.name());
  if (fit.skipped > 0) plan_.rows = plan_.rows.select(examples_.rows());
}

// The most tokens that a teacher may have to read at once.
int64_t DistillSetup::longest_text() const {
  const DistillOptions& options = plan_.options;
  const bool writes = options.lmbda > 0 || options.completions.by_teacher();
  int64_t longest = 0;
  for (int64_t i = 0; i < examples_.size(); ++i) {
    const TokenizedExample example = examples_[i];
    int64_t prompt = std::ssize(example.prompt);
    int64_t completion = writes ? options.max_completion_length : 0;
    if (example.completion) completion = std::max(completion, std::ssize(*example.completion));
    completion = std::min(completion, student().model->shape().positions - prompt);
    const auto row = static_cast<size_t>(i);
    if (plan_.rows.may_have(row, "teacher_prompt")) {
      const Example full = plan_.rows[row];
      if (full.teacher_prompt) prompt = std::ssize(teacher_prompt_ids(student().tokenizer, full));
    }
    longest = std::max(longest, prompt + completion);
  }
  return longest;
}

std::unique_ptr<TrainingTask> DistillSetup::task() {
  const DistillOptions& options = plan_.options;
  TeacherMixture mixture =
      teachers_->over({.examples = plan_.rows,
                       .tokenized = examples_,
                       .max_completion = options.lmbda > 0 ? options.max_completion_length : 0});
  AuxiliaryModels auxiliary = load_auxiliary_models(plan_);
  return distillation_task(*student().model, std::move(mixture), std::move(examples_),
                           student().tokenizer, distillation_settings(plan_, *teachers_),
                           std::move(auxiliary));
}

}  // namespace alambic
