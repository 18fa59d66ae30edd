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

}  // namespace alambic::blocks
