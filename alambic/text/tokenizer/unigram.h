// Unigram (SentencePiece): the pieces whose scores have the largest sum.
#pragma once

#include <memory>

#include "alambic/text/tokenizer/token_model.h"

namespace alambic {

/// Fields: vocab [[token, log-probability], …] whose places are the ids, unk_id, byte_fallback.
/// Errors: entries of another shape, a score that is not finite, a token that is there twice,
/// unk_id outside the vocabulary.
std::unique_ptr<TokenModel> read_unigram(const JsonView& json);

}  // namespace alambic
