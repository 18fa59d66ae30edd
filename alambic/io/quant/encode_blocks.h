// One block of float32 numbers in each of ggml's formats that we write; layouts as in
// decode_blocks.
#pragma once

#include <cstdint>

namespace alambic::blocks {

/// Encoders of a block of 32 numbers.
void encode_q4_0(const float* numbers, uint8_t* block);
void encode_q8_0(const float* numbers, uint8_t* block);
void encode_mxfp4(const float* numbers, uint8_t* block);

/// Encoders of a block of 256 numbers.
void encode_q4_k(const float* numbers, uint8_t* block);
void encode_q6_k(const float* numbers, uint8_t* block);

/// Stores a number as half precision and returns what was stored.
float put_half(float number, uint8_t* bytes);

}  // namespace alambic::blocks
