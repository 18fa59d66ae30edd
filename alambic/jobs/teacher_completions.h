#pragma once

#include "alambic/jobs/distill_plan.h"
#include "alambic/train/tokenized_rows.h"

namespace alambic {

/// Gives every example, one for each row of the plan, the completion that its teacher writes to its
/// prompt (to its teacher_prompt where it has one): the one of the row's tag, or the only one.
/// Completions come from options.completions.file where it has them; others are added to it as they
/// are written, and only then a teacher is loaded. A completion that would not fit into `positions`
/// with its prompt is cut. A teacher's completion depends on the seed and its prompt alone. Input
/// errors: those of CompletionFile, of loading and of routing rows to teachers.
void fill_completions(const DistillPlan& plan, int64_t positions, TokenizedRows& examples);

}  // namespace alambic
