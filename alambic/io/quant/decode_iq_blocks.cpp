// The formats of 256 numbers whose levels are rows of a grid, and those of three levels. Little-
// endian; `d` is half precision. Signs are a bit a number, or seven bits for eight numbers, of
// which an even number is negative.
#include <bit>
#include <cstring>

#include "alambic/io/quant/decode_blocks.h"
#include "alambic/io/quant/half.h"
#include "alambic/io/quant/iq_grids.h"

namespace alambic::blocks {

namespace {

constexpr float iq2_levels[4] = {8, 25, 43, 0};
constexpr float iq3_xxs_levels[8] = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr float iq3_s_levels[8] = {1, 3, 5, 7, 9, 11, 13, 15};
constexpr float iq1_delta = 0.125F;

uint32_t word_at(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0] | bytes[1] << 8 | bytes[2] << 16) |
         static_cast<uint32_t>(bytes[3]) << 24;
}

int short_at(const uint8_t* bytes) { return bytes[0] | bytes[1] << 8; }

int nibble(const uint8_t* bytes, int i) { return bytes[i / 2] >> (i % 2 * 4) & 0xf; }

// Eight signs of seven bits: the last makes the number of negative ones even.
uint32_t even_signs(uint32_t bits) {
  bits &= 0x7f;
  return bits | static_cast<uint32_t>(std::popcount(bits) & 1) << 7;
}

// Numbers of a row, each `scale` times its level, negative where its bit of `signs` is set.
void put_row(float scale, uint32_t row, const float* levels, int bits, uint32_t signs,
             float* numbers) {
  const int count = bits == 2 ? 8 : 4;
  for (int i = 0; i < count; ++i) {
    const float number = scale * levels[row >> (bits * i) & ((1U << bits) - 1)];
    numbers[i] = (signs >> i & 1) != 0 ? -number : number;
  }
}

// A row of three levels, each moved by `delta`.
void put_ternary_row(float scale, uint32_t row, float delta, float* numbers) {
  for (int i = 0; i < 8; ++i) {
    const float level = static_cast<float>(static_cast<int>(row >> (2 * i) & 3) - 1);
    numbers[i] = scale * (level + delta);
  }
}

float halved(float d, int scale) { return d * (0.5F + static_cast<float>(scale)); }

}  // namespace

// d, and for each 32 numbers rows[4], then signs of 7 bits to a row and a scale of 4
void iq2_xxs(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  for (int s = 0; s < 8; ++s) {
    const uint8_t* rows = block + 2 + 8 * s;
    const uint32_t rest = word_at(rows + 4);
    const float scale = halved(d, static_cast<int>(rest >> 28)) * 0.25F;
    for (int i = 0; i < 4; ++i) {
      put_row(scale, iq2_xxs_grid[rows[i]], iq2_levels, 2, even_signs(rest >> (7 * i)),
              numbers + 32 * s + 8 * i);
    }
  }
}

// d, [32] of a row of 9 bits and signs of 7, scale[16] of 4 bits
void iq2_xs(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) {
    const int both = short_at(block + 2 + 2 * i);
    const float scale = halved(d, nibble(block + 66, i / 2)) * 0.25F;
    put_row(scale, iq2_xs_grid[both & 511], iq2_levels, 2,
            even_signs(static_cast<uint32_t>(both) >> 9), numbers + 8 * i);
  }
}

// d, low bits of rows[32], signs[32], two high bits of rows[32], scale[16] of 4 bits
void iq2_s(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) {
    const int row = block[2 + i] | (block[66 + i / 4] >> (i % 4 * 2) & 3) << 8;
    const float scale = halved(d, nibble(block + 74, i / 2)) * 0.25F;
    put_row(scale, iq2_s_grid[row], iq2_levels, 2, block[34 + i], numbers + 8 * i);
  }
}

// d, rows[64], and for each 32 numbers signs of 7 bits to two rows and a scale of 4
void iq3_xxs(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  for (int i = 0; i < 64; ++i) {
    const uint32_t rest = word_at(block + 66 + i / 8 * 4);
    const float scale = halved(d, static_cast<int>(rest >> 28)) * 0.5F;
    const uint32_t signs = even_signs(rest >> (7 * (i / 2 % 4))) >> (i % 2 * 4);
    put_row(scale, iq3_xxs_grid[block[2 + i]], iq3_xxs_levels, 3, signs, numbers + 4 * i);
  }
}

// d, low bits of rows[64], their high bits, signs[32], scale[8] of 4 bits
void iq3_s(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  for (int i = 0; i < 64; ++i) {
    const int row = block[2 + i] | (block[66 + i / 8] >> (i % 8) & 1) << 8;
    const float scale = d * static_cast<float>(1 + 2 * nibble(block + 106, i / 8));
    const uint32_t signs = block[74 + i / 2] >> (i % 2 * 4);
    put_row(scale, iq3_s_grid[row], iq3_s_levels, 3, signs, numbers + 4 * i);
  }
}

// d, low bits of rows[32], and for each 32 numbers three high bits to a row, a scale of 3 bits and
// the sign of delta
void iq1_s(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) {
    const int rest = short_at(block + 34 + i / 4 * 2);
    const int row = block[2 + i] | (rest >> (i % 4 * 3) & 7) << 8;
    const float scale = d * static_cast<float>(2 * (rest >> 12 & 7) + 1);
    const float delta = (rest & 0x8000) == 0 ? iq1_delta : -iq1_delta;
    put_ternary_row(scale, iq1_grid[row], delta, numbers + 8 * i);
  }
}

// low bits of rows[32], three high bits and the sign of delta to a row, scale[16] of 3 bits in four
// 16-bit numbers, whose upper four bits are those of d
void iq1_m(const uint8_t* block, float* numbers) {
  const uint8_t* scales = block + 48;
  int bits = 0;
  for (int i = 0; i < 4; ++i) bits |= short_at(scales + 2 * i) >> 12 << (4 * i);
  const float d = half_to_float(static_cast<uint16_t>(bits));
  for (int i = 0; i < 32; ++i) {
    const int high = nibble(block + 32, i);
    const int scale = short_at(scales + i / 8 * 2) >> (i / 2 % 4 * 3) & 7;
    const float delta = (high & 8) == 0 ? iq1_delta : -iq1_delta;
    put_ternary_row(d * static_cast<float>(2 * scale + 1), iq1_grid[block[i] | (high & 7) << 8],
                    delta, numbers + 8 * i);
  }
}

// d, two high bits of scale[8], their low bits, q[128] into the levels of IQ4_NL
void iq4_xs(const uint8_t* block, float* numbers) {
  const float d = half_at(block);
  const int high = short_at(block + 2);
  for (int s = 0; s < 8; ++s) {
    const int scale = (nibble(block + 4, s) | (high >> (2 * s) & 3) << 4) - 32;
    iq4_levels_of(block + 8 + 16 * s, d * static_cast<float>(scale), numbers + 32 * s);
  }
}

// q[48] and q[4], of five and four numbers in base 3 as fractions of 256, d
void tq1_0(const uint8_t* block, float* numbers) {
  static constexpr uint8_t powers[5] = {1, 3, 9, 27, 81};
  const float d = half_at(block + 52);
  // `count` bytes from `from` on hold `digits` runs of numbers.
  const auto put = [&](int from, int count, int digits) {
    for (int digit = 0; digit < digits; ++digit) {
      for (int i = 0; i < count; ++i) {
        const auto moved = static_cast<uint8_t>(block[from + i] * powers[digit]);
        *numbers++ = d * static_cast<float>((moved * 3 >> 8) - 1);
      }
    }
  };
  put(0, 32, 5);
  put(32, 16, 5);
  put(48, 4, 4);
}

// q[64] of two bits, d. Runs of 128 share 32 bytes.
void tq2_0(const uint8_t* block, float* numbers) {
  const float d = half_at(block + 64);
  for (int i = 0; i < 256; ++i) {
    const int q = block[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
    numbers[i] = d * static_cast<float>(q - 1);
  }
}

}  // namespace alambic::blocks
