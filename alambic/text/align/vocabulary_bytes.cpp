#include "alambic/text/align/vocabulary_bytes.h"

#include "alambic/base/error.h"

namespace alambic {

VocabularyBytes::VocabularyBytes(const Tokenizer& tokenizer, const std::string& name) {
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    std::optional<std::string> bytes = tokenizer.bytes_of(id);
    if (!bytes) {
      throw input_error(
          "the tokenizer of {} has no bytes for the token {} (\"{}\"): what it writes depends on "
          "the tokens around it",
          name, id, tokenizer.token_of(id))
          .with_hint("byte-level BPE and SentencePiece can be aligned with another tokenizer");
    }
    bytes_.push_back(std::move(*bytes));
  }
}

const std::string& VocabularyBytes::of(int32_t id) const {
  static const std::string none;
  return id >= 0 && id < size() ? bytes_[static_cast<size_t>(id)] : none;
}

}  // namespace alambic
