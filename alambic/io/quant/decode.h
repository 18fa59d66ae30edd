// Weights of any floating or block format as float32.
//
// The block formats are ggml's. Numbers are bit-equal to those of gguf-py's `gguf.quants`.
#pragma once

#include <span>

#include "alambic/io/tensor_view.h"

namespace alambic {

/// True for F32, F16, BF16, F64 and the block formats.
bool is_decodable(Dtype dtype);

/// `bytes` are whole blocks (or plain numbers) of `dtype`, `numbers` as many as they code. Rows end
/// with a block, so any run of rows can be decoded alone. A bug of the caller's when they disagree.
void decode(Dtype dtype, std::span<const std::byte> bytes, std::span<float> numbers);

}  // namespace alambic
