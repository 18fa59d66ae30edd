#pragma once

#include <string>

#include "alambic/model/pretrained.h"
#include "alambic/rollout/text_stream.h"
#include "alambic/text/chat/chat_source.h"

namespace alambic {

/// A conversation with a model, which answers each message with all that was said before.
class ChatSession {
 public:
  /// `system` is the system's message, or "". What is referred to must outlive this.
  ChatSession(const Pretrained& loaded, const ChatTemplate& chat_template,
              const std::string& system, const EngineOptions& engine);

  /// Answers a user's message, which `on_text` gets part by part as it is written. An input error
  /// when the conversation has filled the model's context.
  std::string answer(const std::string& message, const OnText& on_text);

 private:
  const Pretrained& loaded_;
  const ChatTemplate& chat_template_;
  const EngineOptions& engine_;
  Chat chat_;
  uint64_t turn_ = 0;
};

}  // namespace alambic
