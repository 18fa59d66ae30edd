// The "K" formats: 256 numbers in sub-blocks of 16 or 32, whose scales are integers times the
// block's. Products and sums are rounded one by one, as numpy does: no fused multiply-add.
#include "alambic/io/quant/decode_blocks.h"

namespace alambic::blocks {

namespace {

// Numbers lie in strips: neighboring bytes that hold one number each at the same shift. A loop
// over a strip is what the compiler makes vector instructions of.
struct Strip {
  const uint8_t* bytes;
  int shift;
};

// The 2-bit numbers from 16 s on: runs of 128 share 32 bytes, four numbers in each.
Strip two_bits(const uint8_t* packed, int s) {
  return {packed + s / 8 * 32 + s % 2 * 16, s % 8 / 2 * 2};
}

// The 1-bit numbers from 16 s on: 32 bytes, eight numbers in each.
Strip one_bit(const uint8_t* packed, int s) { return {packed + s % 2 * 16, s / 2}; }

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
  for (int s = 0; s < 16; ++s) {
    const float scale = d * static_cast<float>(block[s] & 0xf);
    const float min = m * static_cast<float>(block[s] >> 4);
    const Strip q = two_bits(block + 16, s);
    for (int i = 0; i < 16; ++i) {
      const float scaled = scale * static_cast<float>(q.bytes[i] >> q.shift & 3);
      numbers[16 * s + i] = scaled - min;
    }
  }
}

// high[32] (a clear bit takes 4 away), q[64], scales[12], d
void q3_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block + 108);
  for (int s = 0; s < 16; ++s) {
    const float scale = d * static_cast<float>(three_k_scale(block + 96, s));
    const Strip q = two_bits(block + 32, s), high = one_bit(block, s);
    for (int i = 0; i < 16; ++i) {
      const int number = (q.bytes[i] >> q.shift & 3) + (high.bytes[i] >> high.shift & 1) * 4 - 4;
      numbers[16 * s + i] = scale * static_cast<float>(number);
    }
  }
}

// d, m, scales[12], q[128]. Runs of 64 share 32 bytes, two numbers in each.
void q4_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int s = 0; s < 8; ++s) {
    const ScaleMin both = scale_min(block + 4, s);
    const float scale = d * static_cast<float>(both.scale), min = m * static_cast<float>(both.min);
    const Strip q = {block + 16 + s / 2 * 32, s % 2 * 4};
    for (int i = 0; i < 32; ++i) {
      const float scaled = scale * static_cast<float>(q.bytes[i] >> q.shift & 0xf);
      numbers[32 * s + i] = scaled - min;
    }
  }
}

// d, m, scales[12], high[32], q[128]
void q5_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int s = 0; s < 8; ++s) {
    const ScaleMin both = scale_min(block + 4, s);
    const float scale = d * static_cast<float>(both.scale), min = m * static_cast<float>(both.min);
    const Strip q = {block + 48 + s / 2 * 32, s % 2 * 4}, high = {block + 16, s};
    for (int i = 0; i < 32; ++i) {
      const int number = (q.bytes[i] >> q.shift & 0xf) | (high.bytes[i] >> high.shift & 1) << 4;
      const float scaled = scale * static_cast<float>(number);
      numbers[32 * s + i] = scaled - min;
    }
  }
}

// low[128], high[64], scale[16] signed, d. Runs of 128 share 64 low bytes and 32 high ones.
void q6_k(const uint8_t* block, float* numbers) {
  const float d = half_at(block + 208);
  for (int s = 0; s < 16; ++s) {
    const float scale = d * static_cast<float>(static_cast<int8_t>(block[192 + s]));
    const Strip low = {block + s / 8 * 64 + s % 4 * 16, s % 8 / 4 * 4};
    const Strip high = two_bits(block + 128, s);
    for (int i = 0; i < 16; ++i) {
      const int number = (low.bytes[i] >> low.shift & 0xf) | (high.bytes[i] >> high.shift & 3) << 4;
      numbers[16 * s + i] = scale * static_cast<float>(number - 32);
    }
  }
}

}  // namespace alambic::blocks
