// WordLevel: a whole piece is one token.
#pragma once

#include <memory>

#include "alambic/text/tokenizer/token_model.h"

namespace alambic {

std::unique_ptr<TokenModel> read_word_level(const JsonView& json);

}  // namespace alambic
