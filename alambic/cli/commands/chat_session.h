// A conversation with a model in the terminal.
#pragma once

#include "alambic/rollout/chat_session.h"

namespace alambic {

/// Writes a completion of each line of standard input as it is made, until input ends (Ctrl-D).
void chat_in_terminal(ChatSession& session);

/// Text to standard output, at once.
void print_text(const std::string& text);

}  // namespace alambic
