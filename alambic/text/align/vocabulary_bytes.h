#pragma once

#include <string>
#include <vector>

#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// Bytes of every token of a tokenizer (Tokenizer::bytes_of), made once.
class VocabularyBytes {
 public:
  /// An input error where they depend on the neighbors: `name` is what it calls the tokenizer.
  VocabularyBytes(const Tokenizer& tokenizer, const std::string& name);

  /// "" for tokens that write no text, and for ids outside the vocabulary.
  const std::string& of(int32_t id) const;
  int64_t size() const { return std::ssize(bytes_); }

 private:
  std::vector<std::string> bytes_;
};

}  // namespace alambic
