// A conversation with a model in the terminal.
#pragma once

#include "alambic/model/pretrained.h"
#include "alambic/rollout/engine.h"
#include "alambic/text/chat/chat_source.h"
#include "alambic/text/tokenizer/stream_decoder.h"

namespace alambic {

/// Completions each line of standard input as it is written, with all that was said before, until
/// the input ends (Ctrl-D). `system` is the system's message, or "". An input error when the
/// conversation has filled the model's context.
void chat_in_terminal(const Pretrained& loaded, const ChatTemplate& chat_template,
                      const std::string& system, const EngineOptions& engine);

/// A completion as it is written, on standard output.
class Typist {
 public:
  Typist(const Tokenizer& tokenizer, const Request& request);
  void operator()(size_t, int32_t token) { type(decoder_.push(token)); }
  /// What is left, and the line's end.
  void finish() { type(decoder_.finish() + "\n"); }

 private:
  static void type(const std::string& text);
  StreamDecoder decoder_;
};

}  // namespace alambic
