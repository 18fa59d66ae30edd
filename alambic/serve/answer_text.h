#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alambic/text/tokenizer/stream_decoder.h"

namespace alambic {

/// The text of a completion while its tokens come. Held back is what may still change: characters
/// that need more tokens, and text that may begin a stop string. No stop string is in the text.
class AnswerText {
 public:
  /// The tokenizer must outlive this.
  AnswerText(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
             std::vector<std::string> stops, bool skip_special = true);

  /// Text that this token settles. After a stop string was found: nothing.
  std::string push(int32_t id);
  /// What is left at the end.
  std::string finish();
  /// The stop string that ended the text; nothing so far.
  const std::optional<std::string>& stopped_by() const { return stopped_by_; }

 private:
  std::string settle(bool all);

  StreamDecoder decoder_;
  std::vector<std::string> stops_;
  std::string held_;
  std::optional<std::string> stopped_by_;
};

/// A token as text: what it stands for, as OpenAI writes it ("bytes:\xe2\x80" where that is no
/// whole text), or the name of a special token.
std::string token_text(const Tokenizer& tokenizer, int32_t id);
/// Its bytes; those of its name where they depend on the neighbors.
std::string token_bytes(const Tokenizer& tokenizer, int32_t id);

}  // namespace alambic
