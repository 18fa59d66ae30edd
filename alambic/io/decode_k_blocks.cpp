// The "K" formats: 256 numbers in sub-blocks of 16 or 32, whose scales are integers times the
// block's. Products and sums are rounded one by one, as numpy does: no fused multiply-add.
#include "alambic/io/decode_blocks.h"

namespace alambic::blocks {

namespace {

constexpr int block_size = 256;

// The 2-bit number i: runs of 128 share 32 bytes, four numbers in each.
int two_bits(const uint8_t* packed, int i) {
  return packed[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
}

// The 4-bit number i: runs of 64 share 32 bytes, two numbers in each.
int four_bits(const uint8_t* packed, int i) {
  return packed[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 0xf;
}

// The bit of number i: 32 bytes, eight numbers in each.
int one_bit(const uint8_t* packed, int i) { return packed[i % 32] >> (i / 32) & 1; }

// Q3_K's signed 6-bit scale i of 16: low halves in eight bytes, upper two bits in the next four.
int three_k_scale(const uint8_t* packed, int i) {
  const int low = packed[i % 8] >> (i / 8 * 4) & 0xf;
  const int high = packed[8 + i % 4] >> (i / 4 * 2) & 3;
  return (low | high << 4) - 32;
}

}  // namespace

ScaleMin scale_min(const uint8_t* packed, int i) {
  if (i < 4) return {packed[i] & 63, packed[i + 4] & 63};
  return {(packed[i + 4] & 0xf) | packed[i - 4] >> 6 << 4,
          packed[i + 4] >> 4 | packed[i] >> 6 << 4};
}

// scale and minimum[16] of 4 bits each, q[64], d, m
void q2_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block + 80), m = half_at(block + 82);
  for (int i = 0; i < block_size; ++i) {
    const uint8_t both = block[i / 16];
    const float scale = d * static_cast<float>(both & 0xf), min = m * static_cast<float>(both >> 4);
    const float scaled = scale * static_cast<float>(two_bits(block + 16, i));
    numbers[i] = scaled - min;
  }
}

// high[32] (a clear bit takes 4 away), q[64], scales[12], d
void q3_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block + 108);
  for (int i = 0; i < block_size; ++i) {
    const float scale = d * static_cast<float>(three_k_scale(block + 96, i / 16));
    const int q = two_bits(block + 32, i) - (one_bit(block, i) == 0 ? 4 : 0);
    numbers[i] = scale * static_cast<float>(q);
  }
}

// d, m, scales[12], q[128]
void q4_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int sub = 0; sub < 8; ++sub) {
    const ScaleMin both = scale_min(block + 4, sub);
    const float scale = d * static_cast<float>(both.scale), min = m * static_cast<float>(both.min);
    for (int i = 32 * sub; i < 32 * (sub + 1); ++i) {
      const float scaled = scale * static_cast<float>(four_bits(block + 16, i));
      numbers[i] = scaled - min;
    }
  }
}

// d, m, scales[12], high[32], q[128]
void q5_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int sub = 0; sub < 8; ++sub) {
    const ScaleMin both = scale_min(block + 4, sub);
    const float scale = d * static_cast<float>(both.scale), min = m * static_cast<float>(both.min);
    for (int i = 32 * sub; i < 32 * (sub + 1); ++i) {
      const int q = four_bits(block + 48, i) | one_bit(block + 16, i) << 4;
      const float scaled = scale * static_cast<float>(q);
      numbers[i] = scaled - min;
    }
  }
}

// low[128], high[64], scale[16] signed, d. Runs of 128 share 64 low bytes and 32 high ones.
void q6_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block + 208);
  for (int i = 0; i < block_size; ++i) {
    const float scale = d * static_cast<float>(static_cast<int8_t>(block[192 + i / 16]));
    const int low = block[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4) & 0xf;
    const int q = (low | two_bits(block + 128, i) << 4) - 32;
    numbers[i] = scale * static_cast<float>(q);
  }
}

}  // namespace alambic::blocks
