#include "alambic/rollout/text_stream.h"

#include <utility>

namespace alambic {

TextStream::TextStream(const Tokenizer& tokenizer, const Request& request, OnText on_text)
    : decoder_(tokenizer), on_text_(std::move(on_text)) {
  for (const int32_t id : request.prompt) decoder_.push(id);
}

}  // namespace alambic
