#include "alambic/cli/commands/chat_session.h"

#include <cstdio>
#include <functional>
#include <iostream>

#include "alambic/base/log.h"
#include "alambic/text/chat/continuation.h"

namespace alambic {

Typist::Typist(const Tokenizer& tokenizer, const Request& request) : decoder_(tokenizer) {
  for (const int32_t id : request.prompt) decoder_.push(id);
}

void Typist::type(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void chat_in_terminal(const Pretrained& loaded, const ChatTemplate& chat_template,
                      const std::string& system, const EngineOptions& engine) {
  Chat chat;
  if (!system.empty()) chat.messages.push_back(chat_message("system", system));
  say("type a message; Ctrl-D ends");
  for (uint64_t turn = 0;; ++turn) {
    std::fputs("> ", stdout);
    std::fflush(stdout);
    std::string line;
    while (line.find_first_not_of(" \t\r") == line.npos) {
      if (std::getline(std::cin, line)) continue;
      std::fputs("\n", stdout);
      return;
    }
    chat.messages.push_back(chat_message("user", line));
    chat.completion = chat.messages.size();
    const std::string prompt = write_chat(chat_template, chat, ChatUse::prompts).prompt;
    const Request request{.prompt = loaded.tokenizer.encode(prompt, /*add_special=*/false),
                          .id = turn};
    Typist typist(loaded.tokenizer, request);
    const Completion completion =
        generate(*loaded.model, std::span(&request, 1), engine, std::ref(typist)).front();
    typist.finish();
    chat.messages.push_back(chat_message(
        "assistant", continuation(loaded.tokenizer, request.prompt, completion.tokens)));
  }
}

}  // namespace alambic
