#include "alambic/text/chat/continuation.h"

#include "alambic/text/tokenizer/stream_decoder.h"

namespace alambic {

std::string continuation(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
                         std::span<const int32_t> completion) {
  StreamDecoder decoder(tokenizer, /*skip_special=*/true);
  for (const int32_t id : prompt) decoder.push(id);
  std::string text;
  for (const int32_t id : completion) text += decoder.push(id);
  return text + decoder.finish();
}

}  // namespace alambic
