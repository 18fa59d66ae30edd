// WordPiece (BERT): the longest token first, again and again, until the word is used up.
#pragma once

#include <memory>

#include "alambic/text/tokenizer/token_model.h"

namespace alambic {

/// Fields: vocab {token: id}, unk_token ("[UNK]"), continuing_subword_prefix ("##"),
/// max_input_chars_per_word (100).
std::unique_ptr<TokenModel> read_word_piece(const JsonView& json);

}  // namespace alambic
