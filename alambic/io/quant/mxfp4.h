// MXFP4 weights as gpt-oss has them (OCP Microscaling Formats 1.0): for a tensor NAME of shape
// [E, 32·G, R] there are NAME_blocks, U8 [E, R, G, 16], two E2M1 numbers to a byte, the lower half
// first, and NAME_scales, U8 [E, R, G], exponents with bias 127. The matrices lie column by column.
#pragma once

#include <nlohmann/json.hpp>

#include <span>
#include <string>
#include <vector>

#include "alambic/io/tensor_view.h"

namespace alambic {

/// join_tile_scales for quant_method "mxfp4": puts the F4 tensor NAME in the place of the two, with
/// the scales as its `tiles`. As strict.
void join_mxfp4(nlohmann::ordered_json& config, std::vector<TensorView>& tensors,
                const std::string& where);

/// The number of four bits: sign, two of exponent, one of fraction.
float e2m1_to_float(int bits);

/// The reverse of the way there: puts the matrices of a GGUF tensor of MXFP4, [E, R, 32·G], to the
/// columns first, first + each, … of those of a tensor NAME. GGUF has a block's exponent and then
/// its 16 bytes, the upper halves the last 16 numbers. `blocks` and `scales` are made large enough.
void put_mxfp4(const TensorView& gguf, int64_t first, int64_t each, std::vector<std::byte>& blocks,
               std::vector<std::byte>& scales);

/// The way there: the columns first, first + each, … of an F4 tensor with its scales, as the blocks
/// of a GGUF tensor. No number changes.
std::vector<std::byte> take_mxfp4(const TensorView& whole, int64_t first, int64_t each);

/// decode_tiles of such a tensor.
void decode_mxfp4(const TensorView& tensor, std::span<float> numbers);

}  // namespace alambic
