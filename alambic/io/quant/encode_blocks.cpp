// The formats of 32 numbers, rounded exactly as gguf-py's numpy code does.
#include "alambic/io/quant/encode_blocks.h"

#include <algorithm>
#include <cmath>

#include "alambic/io/quant/half.h"

namespace alambic::blocks {

namespace {

// The number of largest size; the first of several.
float extreme(const float* numbers) {
  return *std::max_element(numbers, numbers + 32,
                           [](float a, float b) { return std::fabs(a) < std::fabs(b); });
}

// Halves away from zero. Unlike floor(x + 0.5) it is right for 0.49999997, where the sum rounds.
float round_away(float x) {
  const float size = std::fabs(x), whole = std::floor(size);
  return std::copysign(whole + std::floor(2 * (size - whole)), x);
}

}  // namespace

float put_half(float number, uint8_t* bytes) {
  const uint16_t half = float_to_half(number);
  bytes[0] = static_cast<uint8_t>(half);
  bytes[1] = static_cast<uint8_t>(half >> 8);
  return half_to_float(half);
}

// The extreme becomes -8, which is the end of the range that has a step more.
void encode_q4_0(const float* numbers, uint8_t* block) {
  const float d = extreme(numbers) / -8, inverse = d == 0 ? 0 : 1 / d;
  put_half(d, block);
  const auto level = [&](int i) {
    const float scaled = numbers[i] * inverse;
    return static_cast<uint8_t>(std::clamp(std::trunc(scaled + 8.5F), 0.0F, 15.0F));
  };
  for (int i = 0; i < 16; ++i) {
    block[2 + i] = static_cast<uint8_t>(level(i) | level(i + 16) << 4);
  }
}

void encode_q8_0(const float* numbers, uint8_t* block) {
  const float d = std::fabs(extreme(numbers)) / 127, inverse = d == 0 ? 0 : 1 / d;
  put_half(d, block);
  for (int i = 0; i < 32; ++i) {
    // 1 / d overflows for subnormal d, so what it scales must be clamped.
    const float level = std::clamp(round_away(numbers[i] * inverse), -127.0F, 127.0F);
    block[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(level));
  }
}

// The exponent puts the extreme's at that of the largest level, 6.
void encode_mxfp4(const float* numbers, uint8_t* block) {
  static constexpr float levels[8] = {0, 1, 2, 3, 4, 6, 8, 12};  // doubled, as d is halved
  const float largest = std::fabs(extreme(numbers));
  const float power = largest > 0 ? std::floor(std::log2(largest)) : -127;
  const int exponent = std::max(static_cast<int>(power) - 2 + 127, 0);
  const float d = std::ldexp(1.0F, exponent - 128);
  block[0] = static_cast<uint8_t>(exponent);
  const auto level = [&](int i) {
    int nearest = 0;
    float error = std::fabs(numbers[i]);
    for (int k = 1; k < 8; ++k) {
      const float other = std::fabs(d * levels[k] - std::fabs(numbers[i]));
      if (other >= error) continue;
      nearest = k;
      error = other;
    }
    return static_cast<uint8_t>(nearest != 0 && numbers[i] < 0 ? nearest | 8 : nearest);
  };
  for (int i = 0; i < 16; ++i) {
    block[1 + i] = static_cast<uint8_t>(level(i) | level(i + 16) << 4);
  }
}

}  // namespace alambic::blocks
