#pragma once

#include <functional>
#include <string>

#include "alambic/rollout/engine.h"
#include "alambic/text/tokenizer/stream_decoder.h"

namespace alambic {

using OnText = std::function<void(const std::string&)>;

/// Text of one completion while its tokens are drawn: an OnToken of the engine (by std::ref). The
/// parts in a row are the whole text; a character of several tokens comes with its last.
class TextStream {
 public:
  TextStream(const Tokenizer& tokenizer, const Request& request, OnText on_text);
  void operator()(size_t, int32_t token) { on_text_(decoder_.push(token)); }
  /// Passes on what is left.
  void finish() { on_text_(decoder_.finish()); }

 private:
  StreamDecoder decoder_;
  OnText on_text_;
};

}  // namespace alambic
