// The scores of a step's completions as the advantages that their tokens get.
#pragma once

#include "alambic/objective/group_advantage.h"
#include "alambic/objective/policy.h"
#include "alambic/teacher/reward_scorer.h"
#include "alambic/train/completions.h"
#include "alambic/train/dropped_scores.h"

namespace alambic {

/// Scores all completions, each rank its own, and sets every micro-batch's advantage_M, within
/// groups of `size` completions to one prompt, which may lie in several micro-batches. Adds reward,
/// reward_std, dropped_share (of completions without a score) and equal_share (of groups that teach
/// nothing) to report.extra. Errors: those of the scorer and of `dropped`, which counts every
/// score.
void score_completions(const RewardScorer& reward, const World& world, DroppedScores& dropped,
                       int64_t size, AdvantageKind kind, StepBatch& completions,
                       StepReport& report);

/// Makes Dr. GRPO's (arXiv 2503.20783) of GRPO's terms: it divides by a length that no completion
/// can change, the `longest` one's.
void divide_by_longest(const StepBatch& completions, int64_t longest, Policy& policy);

}  // namespace alambic
