// The scores of a step's answers as the advantages that their tokens get.
#pragma once

#include "alambic/objective/group_advantage.h"
#include "alambic/teacher/teacher.h"
#include "alambic/train/completions.h"

namespace alambic {

/// Scores all answers and sets every micro-batch's advantage_M, within groups of `size` answers to
/// one prompt, which may lie in several micro-batches. Adds reward, reward_std, dropped_share (of
/// answers without a score) and equal_share (of groups that teach nothing) to report.extra, and
/// score_seconds. Errors: those of the scorer.
void score_answers(const Teacher& scorer, int64_t size, AdvantageKind kind, StepAnswers& answers,
                   StepReport& report);

}  // namespace alambic
