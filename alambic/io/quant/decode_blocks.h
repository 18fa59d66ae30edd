// One block of each of ggml's formats to float32. Layouts: little-endian half-precision scales `d`
// (and minima `m`), packed integers `q`, in the order of the parameters' comments in the .cpp
// files.
#pragma once

#include <cstdint>

namespace alambic::blocks {

/// Decoders of a block of 32 numbers.
void q4_0(const uint8_t* block, float* numbers);
void q4_1(const uint8_t* block, float* numbers);
void q5_0(const uint8_t* block, float* numbers);
void q5_1(const uint8_t* block, float* numbers);
void q8_0(const uint8_t* block, float* numbers);
void iq4_nl(const uint8_t* block, float* numbers);
void mxfp4(const uint8_t* block, float* numbers);

/// Decoders of a block of 256 numbers.
void q2_k(const uint8_t* block, float* numbers);
void q3_k(const uint8_t* block, float* numbers);
void q4_k(const uint8_t* block, float* numbers);
void q5_k(const uint8_t* block, float* numbers);
void q6_k(const uint8_t* block, float* numbers);
void iq1_s(const uint8_t* block, float* numbers);
void iq1_m(const uint8_t* block, float* numbers);
void iq2_xxs(const uint8_t* block, float* numbers);
void iq2_xs(const uint8_t* block, float* numbers);
void iq2_s(const uint8_t* block, float* numbers);
void iq3_xxs(const uint8_t* block, float* numbers);
void iq3_s(const uint8_t* block, float* numbers);
void iq4_xs(const uint8_t* block, float* numbers);
void tq1_0(const uint8_t* block, float* numbers);
void tq2_0(const uint8_t* block, float* numbers);

/// 32 numbers of 4 bits, q[16], into the unevenly spaced levels of IQ4_NL, times `scale`.
void iq4_levels_of(const uint8_t* q, float scale, float* numbers);

/// The half-precision number in two bytes.
float half_at(const uint8_t* bytes);

/// The 6-bit scale and minimum of sub-block i of eight, from the 12 bytes of Q4_K and Q5_K.
struct ScaleMin {
  int scale, min;
};
ScaleMin scale_min(const uint8_t* packed, int i);

}  // namespace alambic::blocks
