#include "alambic/jobs/distill_setup.h"

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/objective/parse.h"
#include "alambic/teacher/local.h"
#include "alambic/teacher/reward_scorer.h"
#include "alambic/teacher/rewards.h"
#include "alambic/train/hidden_layers.h"

namespace alambic {

namespace {

// That a row of plain text needs.
Fields row_fields(const DistillOptions& options) {
  if (options.lmbda == 1 || options.completions.by_teacher()) return {"prompt"};
  return {"prompt", "completion"};
}

}  // namespace

TeacherOptions grading_teachers(const DistillOptions& options) {
  const bool graded = objective_of(options.loss).asks_teachers();
  return graded || !options.valid_data.empty() ? options.teachers : TeacherOptions();
}

EngineOptions engine_of(const DistillOptions& options, const Pretrained& student) {
  EngineOptions engine{.sampling = options.sampling,
                       .stop_tokens = student.stop_tokens,
                       .vocabulary = student.vocabulary,
                       .batch = options.generation_batch,
                       .seed = static_cast<uint64_t>(options.training.seed)};
  engine.sampling.max_new_tokens = options.max_completion_length;
  return engine;
}

namespace {

MixedTeacher mixed_teacher_of(const DistillOptions& options, const TeacherPool& pool,
                              const std::vector<Example>& rows) {
  if (options.loss.teacher_mix == 0) return {};
  for (const Example& row : rows) {
    if (!row.teacher_prompt) continue;
    throw input_error(
        "{}:{}: --teacher-mix draws with student and teacher from one prompt, but the row has a "
        "\"teacher_prompt\"",
        options.data, row.line);
  }
  check(pool.only_model() != nullptr, "no teacher to mix in");
  return {.model = pool.only_model(), .share = options.loss.teacher_mix};
}

HiddenMatchOptions hidden_match(const DistillOptions& options, const Pretrained& student,
                                const TeacherPool& pool) {
  if (options.loss.hidden_weight == 0) return {};
  const ModelShape own = student.model->shape(), other = pool.only_model()->shape();
  HiddenMatchOptions match{
      .weight = options.loss.hidden_weight,
      .measure = options.loss.hidden_distance,
      .pairs = hidden_layers(options.loss, own.cache.layers, other.cache.layers),
      .student_width = own.width,
      .teacher_width = other.width,
      .seed = static_cast<uint64_t>(options.training.seed)};
  std::vector<std::string> words;
  for (const LayerPair& pair : match.pairs) {
    words.push_back(fmt::format("{}:{}", pair.student + 1, pair.teacher + 1));
  }
  say("hidden states of layers {} (student:teacher){}", join(words),
      own.width == other.width
          ? ""
          : fmt::format(", through projections from {} to {} numbers", own.width, other.width));
  return match;
}

}  // namespace

DistillationSettings distillation_settings(const DistillOptions& options, const Pretrained& student,
                                           const TeacherPool& pool,
                                           const std::vector<Example>& rows) {
  Objective objective = objective_of(options.loss);
  objective.policy.temperature = options.sampling.temperature;
  EngineOptions engine = engine_of(options, student);
  engine.mixed_teacher = mixed_teacher_of(options, pool, rows);
  return {.divergence = std::move(objective.divergence),
          .policy = std::move(objective.policy),
          .advantage = options.loss.advantage,
          .hidden = hidden_match(options, student, pool),
          .ce_weight = options.loss.ce_weight + objective.cross_entropy,
          .lmbda = options.lmbda,
          .batch_size = options.training.batch_size,
          .num_generations = options.num_generations,
          .num_iterations = options.loss.num_iterations,
          .micro_batch_size = options.training.micro_batch_size,
          .recompute_layers = options.training.activation_checkpointing,
          .seed = static_cast<uint64_t>(options.training.seed),
          .engine = engine};
}

namespace {

std::shared_ptr<const RewardScorer> load_scorer(const DistillOptions& options,
                                                const Pretrained& student,
                                                const std::vector<Example>& rows,
                                                const LoadOptions& load) {
  std::shared_ptr<const Reward> reward = load_reward(options.reward, load);
  std::vector<std::optional<std::string>> expected;
  for (const Example& row : rows) {
    if (reward->needs_expected() && !row.answer) {
      throw input_error("{}:{}: no \"answer\" that the score could compare with", options.data,
                        row.line);
    }
    expected.push_back(row.answer);
  }
  return std::make_shared<TextRewardScorer>(std::move(reward), student.tokenizer,
                                            std::move(expected));
}

}  // namespace

AuxiliaryModels load_auxiliary_models(const DistillOptions& options, const Pretrained& student,
                                      const std::vector<Example>& rows, const LoadOptions& load) {
  AuxiliaryModels auxiliary;
  const Policy policy = objective_of(options.loss).policy;
  if (policy.has(PolicyKind::grpo)) auxiliary.reward = load_scorer(options, student, rows, load);
  if (policy.kl_weight > 0) {
    auxiliary.reference =
        std::make_shared<LocalTeacher>(load_model(options.student, load), student.vocabulary);
  }
  return auxiliary;
}

std::vector<Example> read_rows(const DistillOptions& options, const ChatSource& chats) {
  const Fields fields = row_fields(options);
  return read_examples(options.data, {fields, Fields{"messages"}},
                       chats.reader(fields.size() > 1 ? ChatUse::completions : ChatUse::prompts));
}

}  // namespace alambic
