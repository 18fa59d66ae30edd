#pragma once

#include <vector>

#include "alambic/jobs/completion_file.h"
#include "alambic/jobs/distill_plan.h"

namespace alambic {

/// A prompt to be completed, and a row of the plan that has it.
struct RemotePrompt {
  std::vector<int32_t> tokens;
  size_t row = 0;
};

/// Prompts that are longer than a server's context.
struct LongPrompts {
  std::vector<size_t> rows;  ///< of the plan, as the prompts name them
  int64_t context = 0;       ///< tokens, as the server says; 0: it does not
};

/// Has the server of a teacher write completions, and adds each to the file as it comes, in the
/// student's tokens: of conversations by a chat (its own template), of plain text by the prompt's
/// ids, or a chat of one message with --teacher-protocol chat. Those that it finds too long are
/// not in the file. Errors: those of Client.
LongPrompts ask_completions(const DistillPlan& plan, const PlannedTeacher& teacher,
                            const std::vector<RemotePrompt>& prompts, CompletionFile& file);

}  // namespace alambic
