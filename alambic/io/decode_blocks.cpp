// The formats of 32 numbers. Number i < 16 is in the low half of byte i, number i + 16 in its high
// half. Products and sums are rounded one by one, as numpy does: no fused multiply-add.
#include "alambic/io/decode_blocks.h"

#include <bit>

#include "alambic/io/half.h"

namespace alambic::blocks {

namespace {

// The 4-bit number i of 32.
int nibble(const uint8_t* packed, int i) { return packed[i % 16] >> (i / 16 * 4) & 0xf; }

// The 5-bit number i of 32: its fifth bit is bit i of the four bytes at `high`.
int five_bits(const uint8_t* high, const uint8_t* low, int i) {
  return nibble(low, i) | (high[i / 8] >> (i % 8) & 1) << 4;
}

}  // namespace

float half_at(const uint8_t* bytes) {
  return half_to_float(static_cast<uint16_t>(bytes[0] | bytes[1] << 8));
}

// d, q[16]
void q4_0(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) numbers[i] = d * static_cast<float>(nibble(block + 2, i) - 8);
}

// d, m, q[16]
void q4_1(const uint8_t* block, float* numbers) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int i = 0; i < 32; ++i) {
    const float scaled = d * static_cast<float>(nibble(block + 4, i));
    numbers[i] = scaled + m;
  }
}

// d, high[4], q[16]
void q5_0(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) {
    numbers[i] = d * static_cast<float>(five_bits(block + 2, block + 6, i) - 16);
  }
}

// d, m, high[4], q[16]
void q5_1(const uint8_t* block, float* numbers) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int i = 0; i < 32; ++i) {
    const float scaled = d * static_cast<float>(five_bits(block + 4, block + 8, i));
    numbers[i] = scaled + m;
  }
}

// d, q[32] signed
void q8_0(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) {
    numbers[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * d;
  }
}

// d, q[16] into a table of unevenly spaced numbers
void iq4_nl(const uint8_t* block, float* numbers) {
  static constexpr float levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                       1,    13,   25,  38,  53,  69,  89,  113};
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) numbers[i] = d * levels[nibble(block + 2, i)];
}

// exponent, q[16] of E2M1. The levels are doubled and the power halved, so that both are exact.
void mxfp4(const uint8_t* block, float* numbers) {
  static constexpr float levels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  const uint32_t e = block[0];
  const float d = std::bit_cast<float>(e < 2 ? uint32_t{0x200000} << e : (e - 1) << 23);
  for (int i = 0; i < 32; ++i) numbers[i] = d * levels[nibble(block + 1, i)];
}

}  // namespace alambic::blocks
