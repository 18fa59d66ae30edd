#pragma once

#include <cstdint>

#include "alambic/text/tokenizer/added_tokens.h"
#include "alambic/text/tokenizer/vocabulary.h"

namespace alambic {

/// The id that `tokenizers` gives to a token that neither has: the number of the model's tokens, or
/// the one behind the largest added id where that is more. A vocabulary with gaps has larger ids.
int32_t next_token_id(const Vocabulary& vocabulary, const AddedTokens& added);

}  // namespace alambic
