// Text as it is generated, token by token.
#pragma once

#include <string>
#include <vector>

#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// Gives out text as soon as it is certain, so that no character is ever split. The pieces make up
/// `tokenizer.decode(ids, skip_special)`; the two differ only where tokens do not form UTF-8.
class StreamDecoder {
 public:
  /// The tokenizer must outlive this.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true)
      : tokenizer_(&tokenizer), skip_special_(skip_special) {}

  /// Text that `id` completes; often "", when a character needs more tokens.
  std::string push(int32_t id);
  /// Text that is left at the end: broken characters as U+FFFD.
  std::string finish();

 private:
  std::string take(bool all);

  // Decoders treat the first token in a special way, so new tokens are decoded after older ones
  // whose text is known and cut off again.
  const Tokenizer* tokenizer_;
  bool skip_special_;
  std::vector<int32_t> window_;
  size_t given_ = 0;  // tokens of the window whose text was given out
};

}  // namespace alambic
