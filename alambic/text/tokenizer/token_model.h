// The model of a tokenizer: one piece of text to token ids ("model" of tokenizer.json).
#pragma once

#include <memory>
#include <vector>

#include "alambic/text/tokenizer/pre_tokenizer.h"
#include "alambic/text/tokenizer/vocabulary.h"

namespace alambic {

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  /// Appends the ids of all pieces. Safe from many threads.
  virtual void tokenize(const Pieces& pieces, std::vector<int32_t>& ids) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
};

/// Known types: BPE, Unigram, WordPiece, WordLevel. A file without "type" (older than tokenizers
/// 0.9) is told by its fields.
std::unique_ptr<TokenModel> read_token_model(const JsonView& json);

}  // namespace alambic
