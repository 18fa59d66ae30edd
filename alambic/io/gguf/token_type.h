#pragma once

#include <cstdint>

namespace alambic::gguf_token {

/// GGUF's tokenizer.ggml.token_type; the numbers are SentencePiece's.
enum Type : int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

}  // namespace alambic::gguf_token
