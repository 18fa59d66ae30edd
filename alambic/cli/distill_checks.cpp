#include "alambic/cli/distill_checks.h"

#include "alambic/base/error.h"
#include "alambic/cli/objective_terms.h"

namespace alambic {

namespace {

void check_ce_weight(const DistillOptions& options) {
  if (options.loss.ce_weight > 0 && options.lmbda == 1) {
    throw input_error("--ce-weight has no effect with --lmbda 1: no step has given completions")
        .with_hint("cross-entropy on the student's own answers would teach it its own mistakes");
  }
}

void check_cache(const DistillOptions& options) {
  const TeacherOptions& teachers = options.teachers;
  if (!teachers.cache.empty() && options.lmbda > 0) {
    throw input_error(
        "--teacher-cache keeps grades of given completions, but --lmbda {} asks for the student's "
        "own answers in some steps",
        options.lmbda)
        .with_hint("--lmbda 0 learns from given completions only");
  }
  if (teachers.cache.empty() && teachers.cache_dtype != TeacherOptions().cache_dtype) {
    throw input_error("--teacher-cache-dtype has no effect without --teacher-cache");
  }
}

// An answer that the data gives was not drawn from the student: nothing weights it.
void check_drawn(const DistillOptions& options, const Objective& objective) {
  if (objective.policy.terms.empty() || options.lmbda == 1) return;
  throw input_error(
      "--objective {} learns from tokens that the student drew, but with --lmbda {} some steps "
      "take "
      "given completions",
      options.loss.objective, options.lmbda)
      .with_hint("--lmbda 1, or a divergence over the vocabulary such as --objective reverse_kl");
}

void check_teachers(const DistillOptions& options, const Objective& objective) {
  const bool given = !options.teachers.teacher.empty();
  if (objective.asks_teachers() == given) return;
  if (!given) {
    throw input_error("--teacher is missing: --objective {} compares with one",
                      options.loss.objective)
        .with_hint("--objective grpo learns from scores alone");
  }
  throw input_error("--teacher has no effect with --objective {}", options.loss.objective)
      .with_hint("a sum takes both, as 0.5*grpo+0.5*reverse_kl");
}

void check_scores(const DistillOptions& options, const Objective& objective) {
  const bool learns = objective.policy.has(PolicyKind::grpo);
  const std::string& name = options.loss.objective;
  if (!learns && options.reward.any()) {
    throw input_error("--{} has no effect with --objective {}",
                      options.reward.reward.empty() ? "judge" : "reward", name)
        .with_hint("--objective grpo, or a sum as 0.5*grpo+0.5*reverse_kl, learns from scores");
  }
  if (!learns &&
      (options.reward.describes_judge() || options.reward.seconds != RewardOptions().seconds)) {
    throw input_error(
        "--judge-rubric, --judge-score, --judge-pairs and --reward-seconds have no effect with "
        "--objective {}",
        name);
  }
  if (learns && !options.reward.any()) {
    throw input_error("--objective {} learns from scores: --reward or --judge is missing", name)
        .with_hint("--reward exact_match, number, regex:PATTERN or command:COMMAND");
  }
  if (learns && options.num_generations < 2) {
    throw input_error(
        "--objective {} compares the answers to a prompt with each other, but --num-generations is "
        "{}",
        name, options.num_generations)
        .with_hint("--num-generations 8, with as many fewer prompts in --batch-size");
  }
}

}  // namespace

void check_options(const DistillOptions& options) {
  const Objective objective = objective_of(options.loss);
  check_ce_weight(options);
  check_cache(options);
  check_drawn(options, objective);
  check_teachers(options, objective);
  check_scores(options, objective);
}

}  // namespace alambic
