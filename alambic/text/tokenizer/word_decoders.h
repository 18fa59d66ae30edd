// Decoders of word-piece tokenizers: WordPiece, BPEDecoder and CTC of tokenizer.json.
#pragma once

#include <memory>

#include "alambic/text/tokenizer/decoder.h"

namespace alambic {

std::unique_ptr<TokenDecoder> read_word_piece_decoder(const JsonView& json);
std::unique_ptr<TokenDecoder> read_bpe_decoder(const JsonView& json);
std::unique_ptr<TokenDecoder> read_ctc_decoder(const JsonView& json);

}  // namespace alambic
