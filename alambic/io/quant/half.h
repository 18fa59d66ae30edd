// 16-bit floating point numbers by their bits, as IEEE 754 and numpy convert them.
#pragma once

#include <bit>
#include <cstdint>

namespace alambic {

/// Value of an F16, exact. Infinities and the payloads of NaNs are kept.
constexpr float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 0x1f, fraction = half & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float small = static_cast<float>(fraction) * 0x1p-24F;  // subnormal or zero: exact
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(small));
}

/// Bits of the nearest F16, ties to even; infinity beyond the range.
constexpr uint16_t float_to_half(float number) {
  const auto bits = std::bit_cast<uint32_t>(number);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t size = bits & 0x7fffffff;
  if (size > 0x7f800000) {  // NaN: its upper payload, never none, which would be infinity
    const auto payload = static_cast<uint16_t>(size >> 13 & 0x3ff);
    return sign | 0x7c00 | (payload == 0 ? 1 : payload);
  }
  if (size >= 0x477ff000) return sign | 0x7c00;  // 65520 is half way past the largest
  if (size < 0x38800000) {                       // below 2^-14: a multiple of 2^-24
    // Adding 0.5 leaves exactly the multiples of 2^-24 in the fraction, rounded.
    const float shifted = std::bit_cast<float>(size) + 0.5F;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) - 0x3f000000);
  }
  const uint32_t odd = size >> 13 & 1;
  return sign | static_cast<uint16_t>((size - 0x38000000 + 0xfff + odd) >> 13);
}

constexpr float bfloat_to_float(uint16_t bfloat) {
  return std::bit_cast<float>(static_cast<uint32_t>(bfloat) << 16);
}

/// Bits of the nearest BF16, ties to even; a NaN becomes a quiet one.
constexpr uint16_t float_to_bfloat(float number) {
  const auto bits = std::bit_cast<uint32_t>(number);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

}  // namespace alambic
