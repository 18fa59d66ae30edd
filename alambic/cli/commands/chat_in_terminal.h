// A conversation with a model in the terminal.
#pragma once

#include "alambic/jobs/generation.h"

namespace alambic {

/// Writes a completion of each line of standard input as it is made, until input ends (Ctrl-D).
void chat_in_terminal(jobs::Conversation& conversation);

/// Text to standard output, at once. An environment error where it cannot be written.
void print_text(const std::string& text);

}  // namespace alambic
