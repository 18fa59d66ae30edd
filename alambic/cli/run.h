// What each command of commands.def does, by the type of its options.
#pragma once

namespace alambic {

/// Runs a command whose options have been read and checked. Returns the exit code; an Error says
/// its own (base/error.h).
#define COMMAND_GROUP(title)
#define CORE_COMMAND(name, type, summary) \
  struct type;                            \
  int run(const type& options);
#define TORCH_COMMAND(name, type, summary) CORE_COMMAND(name, type, summary)
#define HIDDEN_TORCH_COMMAND(name, type) CORE_COMMAND(name, type, "")
#include "alambic/cli/commands.def"
#undef COMMAND_GROUP
#undef CORE_COMMAND
#undef TORCH_COMMAND
#undef HIDDEN_TORCH_COMMAND

}  // namespace alambic
