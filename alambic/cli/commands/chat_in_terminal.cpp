#include "alambic/cli/commands/chat_in_terminal.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "alambic/base/error.h"
#include "alambic/base/log.h"

namespace alambic {

void print_text(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return;
  throw environment_error("cannot write the completion to standard output: {}",
                          std::strerror(errno));
}

void chat_in_terminal(jobs::Conversation& conversation) {
  say("type a message; Ctrl-D ends");
  for (;;) {
    print_text("> ");
    std::string line;
    while (line.find_first_not_of(" \t\r") == line.npos) {
      if (std::getline(std::cin, line)) continue;
      std::fputs("\n", stdout);
      return;
    }
    conversation.answer(line, print_text);
    print_text("\n");
  }
}

}  // namespace alambic
