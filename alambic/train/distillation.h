// The main task: the student writes, the teacher grades every token, the student learns.
#pragma once

#include <memory>

#include "alambic/objective/divergence.h"
#include "alambic/objective/group_advantage.h"
#include "alambic/objective/policy.h"
#include "alambic/teacher/reward_scorer.h"
#include "alambic/teacher/teacher_ranks.h"
#include "alambic/train/completions.h"
#include "alambic/train/hidden_match.h"

namespace alambic {

struct DistillationSettings {
  Divergence divergence;  ///< no terms: none
  Policy policy;          ///< terms for the student's own completions; no terms: none
  AdvantageKind advantage = AdvantageKind::grpo;
  HiddenMatchOptions hidden;     ///< the student's layers beside the only teacher's
  double ce_weight = 0;          ///< factor of the cross-entropy added on given completions
  double lmbda = 1;              ///< share of steps on the student's own completions
  int64_t batch_size = 16;       ///< prompts a step
  int64_t num_generations = 1;   ///< completions a prompt
  int64_t num_iterations = 1;    ///< steps that learn from the same completions
  int64_t micro_batch_size = 0;  ///< completions per forward and backward pass; 0: all
  /// On the student's own completions `divergence`, which is then the reverse KL, is a policy
  /// gradient where the teacher has another tokenizer.
  bool samples_spans = false;
  int64_t span_lookahead = 1;     ///< next spans whose advantages a span has too
  bool recompute_layers = false;  ///< activation checkpointing (nn/recompute.h)
  int64_t samples_per_step = 2;   ///< completions that go to samples.jsonl
  std::vector<RowShare> shares;   ///< of a mixture; empty: none
  /// Ranks that share each step's rows.
  std::shared_ptr<const World> world = std::make_shared<World>();
  std::shared_ptr<LayerWeights> layers;  ///< the student's; null: all are here
  /// Of each teacher of a row, in their order; null: all are here.
  std::vector<std::shared_ptr<LayerWeights>> teachers_layers;
  std::shared_ptr<TeacherRanks> teacher_ranks;  ///< of teachers that are not here; null: they are
  /// 1: completions are written one step before they are learned from, while the teachers grade
  /// those of the present step; not with several num_iterations.
  int64_t max_staleness = 0;
  uint64_t seed = 0;
  EngineOptions engine;  ///< its step is set by the task
};

/// Models beside student and teachers that the student's own completions are shown to.
struct AuxiliaryModels {
  std::shared_ptr<const RewardScorer> reward;  ///< scores completions, for grpo; null: none
  /// A teacher that never changes and gives hidden states: for kl_weight; null: none.
  std::shared_ptr<const Teacher> reference;
};

/// A distillation. `examples` may lack completions only when lmbda is 1. `tokenizer` is for the
/// samples' text. Samples of a step are grouped by teacher. It counts scores that were dropped
/// (train/dropped_scores.h): beside projections its only memory from one round to the next.
std::unique_ptr<TrainingTask> distillation_task(Model& student, TeacherMixture teachers,
                                                TokenizedRows examples, const Tokenizer& tokenizer,
                                                const DistillationSettings& options,
                                                AuxiliaryModels auxiliary = {});

/// Whether step `step` learns from the student's own completions: drawn once for the whole
/// optimizer step, so micro-batches and ranks agree.
bool on_policy(uint64_t seed, int64_t step, double lmbda);

}  // namespace alambic
