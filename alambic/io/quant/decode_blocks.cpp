// The formats of 32 numbers. Number i < 16 is in the low half of byte i, number i + 16 in its high
// half. Products and sums are rounded one by one, as numpy does: no fused multiply-add.
#include "alambic/io/quant/decode_blocks.h"

#include <bit>

#include "alambic/io/quant/half.h"

namespace alambic::blocks {

namespace {

// Calls `write(number, i)` for the 4-bit numbers of 16 bytes. Two loops without a division are what
// the compiler makes vector instructions of.
template <class Write>
void each_nibble(const uint8_t* packed, const Write& write) {
  for (int i = 0; i < 16; ++i) write(packed[i] & 0xf, i);
  for (int i = 0; i < 16; ++i) write(packed[i] >> 4, i + 16);
}

// Those of 5 bits: the fifth bit of number i is bit i of the four bytes at `high`.
template <class Write>
void each_of_five_bits(const uint8_t* high, const uint8_t* low, const Write& write) {
  each_nibble(low,
              [&](int number, int i) { write(number | (high[i / 8] >> (i % 8) & 1) << 4, i); });
}

}  // namespace

float half_at(const uint8_t* bytes) {
  return half_to_float(static_cast<uint16_t>(bytes[0] | bytes[1] << 8));
}

// d, q[16]
void q4_0(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  each_nibble(block + 2, [&](int q, int i) { numbers[i] = d * static_cast<float>(q - 8); });
}

// d, m, q[16]
void q4_1(const uint8_t* block, float* numbers) {
  const float d = half_at(block), m = half_at(block + 2);
  each_nibble(block + 4, [&](int q, int i) {
    const float scaled = d * static_cast<float>(q);
    numbers[i] = scaled + m;
  });
}

// d, high[4], q[16]
void q5_0(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  each_of_five_bits(block + 2, block + 6,
                    [&](int q, int i) { numbers[i] = d * static_cast<float>(q - 16); });
}

// d, m, high[4], q[16]
void q5_1(const uint8_t* block, float* numbers) {
  const float d = half_at(block), m = half_at(block + 2);
  each_of_five_bits(block + 4, block + 8, [&](int q, int i) {
    const float scaled = d * static_cast<float>(q);
    numbers[i] = scaled + m;
  });
}

// d, q[32] signed
void q8_0(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) {
    numbers[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * d;
  }
}

void iq4_levels_of(const uint8_t* q, float scale, float* numbers) {
  static constexpr float levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                       1,    13,   25,  38,  53,  69,  89,  113};
  each_nibble(q, [&](int number, int i) { numbers[i] = scale * levels[number]; });
}

// d, q[16]
void iq4_nl(const uint8_t* block, float* numbers) {
  iq4_levels_of(block + 2, half_at(block), numbers);
}

// exponent, q[16] of E2M1. The levels are doubled and the power halved, so that both are exact.
void mxfp4(const uint8_t* block, float* numbers) {
  static constexpr float levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  const uint32_t e = block[0];
  const float d = std::bit_cast<float>(e < 2 ? uint32_t{0x200000} << e : (e - 1) << 23);
  each_nibble(block + 1, [&](int q, int i) { numbers[i] = d * levels[q]; });
}

}  // namespace alambic::blocks
