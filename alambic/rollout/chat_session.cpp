#include "alambic/rollout/chat_session.h"

#include <functional>

#include "alambic/text/chat/continuation.h"

namespace alambic {

ChatSession::ChatSession(const Pretrained& loaded, const ChatTemplate& chat_template,
                         const std::string& system, const EngineOptions& engine)
    : loaded_(loaded), chat_template_(chat_template), engine_(engine) {
  if (!system.empty()) chat_.messages.push_back(chat_message("system", system));
}

std::string ChatSession::answer(const std::string& message, const OnText& on_text) {
  chat_.messages.push_back(chat_message("user", message));
  chat_.completion = chat_.messages.size();
  const std::string prompt = write_chat(chat_template_, chat_, ChatUse::prompts).prompt;
  const Request request{.prompt = loaded_.tokenizer.encode(prompt, /*add_special=*/false),
                        .id = turn_++};
  TextStream stream(loaded_.tokenizer, request, on_text);
  const Completion completion =
      generate(*loaded_.model, std::span(&request, 1), engine_, std::ref(stream)).front();
  stream.finish();
  const std::string text = continuation(loaded_.tokenizer, request.prompt, completion.tokens);
  chat_.messages.push_back(chat_message("assistant", text));
  return text;
}

}  // namespace alambic
