#pragma once

#include <map>
#include <string>
#include <vector>

#include "alambic/jobs/distill_plan.h"
#include "alambic/remote/journal_usage.h"
#include "alambic/train/tokenized_rows.h"

namespace alambic {

struct FilledCompletions {
  std::vector<uint32_t> rows;  ///< of the plan, those that have a completion: one for each example
  std::map<std::string, JournalUsage> spent;  ///< at servers, by the teacher's name
};

/// Gives every example, one for each row of the plan, the completion that its teacher writes to its
/// prompt (to its teacher_prompt where it has one): the one of the row's tag, or the only one.
/// Completions come from options.completions.file where it has them; others are added to it as they
/// are written, and only then a teacher is loaded. A completion that would not fit into `positions`
/// with its prompt is cut. A teacher's completion depends on the seed and its prompt alone.
/// Examples whose prompts are longer than a server's context are left out, and how many is said.
/// Input errors: those of CompletionFile, of loading and of routing rows to teachers; with
/// --on-long-row error a prompt that a server finds too long, when all others are written.
FilledCompletions fill_completions(const DistillPlan& plan, int64_t positions,
                                   TokenizedRows& examples);

}  // namespace alambic
