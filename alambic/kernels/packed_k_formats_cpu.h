// ggml's "K" formats: 256 numbers in groups of 16 or 32, whose scales are integers times the
// block's. Runs of 32 neighboring bytes hold one field each of 32 numbers (io/quant/
// decode_k_blocks.cpp has the layouts in scalar code).
#pragma once

#include "alambic/kernels/packed_formats_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {

template <Code byte, int size, int per_group, bool with_min>
struct Block256 {
  static constexpr Code code = byte;
  static constexpr int numbers = 256, group = per_group, bytes = size;
  static constexpr bool has_min = with_min, four_bits = false;
};

/// `bits` of each byte of 32 from bit `shift` on.
template <int bits>
[[gnu::always_inline]] inline Bytes field(const uint8_t* from, int shift) {
  return (read<Bytes>(from) >> shift) & eight((1 << bits) - 1);
}

/// factor[i] = unit · code[i] for 16 codes.
template <Code code>
[[gnu::always_inline]] inline void scale_16(const void* codes, float unit, float* factor) {
  each_of_16<code>(static_cast<const uint8_t*>(codes), [&](int i, Vec number) ALAMBIC_INLINE {
    store(factor + i, unit / code_unit<code> * number);
  });
}

/// Scales and minima of Q4_K and Q5_K: six bits each, in 12 bytes.
[[gnu::always_inline]] inline void scales_and_minima(const uint8_t* block, float* factor) {
  const float d = half(block), m = half(block + 2);
  typedef uint32_t Four __attribute__((vector_size(16)));
  const auto all = read<Four>(block);  // of which the last three
  const Four low = __builtin_shufflevector(all, all, 1, 3, 2, 3) >> Four{0, 0, 0, 4} &
                   Four{0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f};
  const Four high =
      __builtin_shufflevector(all, all, 0, 1, 0, 2) >> 2 & Four{0, 0x30303030, 0, 0x30303030};
  const Four six = low | high;
  float unit[16];
  for (int i = 0; i < 16; ++i) unit[i] = i < 8 ? d : m;
  each_of_16<Code::unsigned_byte>(
      reinterpret_cast<const uint8_t*>(&six),
      [&](int i, Vec number) ALAMBIC_INLINE { store(factor + i, load(unit + i) * number); });
}

// scale and minimum[16] of 4 bits each, q[64], d, m
struct Q2_K : Block256<Code::unsigned_byte, 84, 16, true> {
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    const auto both = read<Sixteen>(block);
    const Sixteen scale = both & 15, min = both >> 4;
    scale_16<Code::unsigned_byte>(&scale, half(block + 80), factor);
    scale_16<Code::unsigned_byte>(&min, half(block + 82), factor + 16);
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      write(made + 32 * i, field<2>(block + 16 + i / 4 * 32, i % 4 * 2));
    }
    return made;
  }
};

// high[32] (a clear bit takes 4 away), q[64], scales[12], d
struct Q3_K : Block256<Code::signed_byte, 110, 16, false> {
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    const auto a = read<uint32_t>(block + 96), b = read<uint32_t>(block + 100),
               c = read<uint32_t>(block + 104);
    const uint32_t six[4] = {
        (a & 0x0f0f0f0f) | (c << 4 & 0x30303030), (b & 0x0f0f0f0f) | (c << 2 & 0x30303030),
        (a >> 4 & 0x0f0f0f0f) | (c & 0x30303030), (b >> 4 & 0x0f0f0f0f) | (c >> 2 & 0x30303030)};
    const SignedSixteen scale = (SignedSixteen)read<Sixteen>(six) - int8_t{32};
    scale_16<Code::signed_byte>(&scale, half(block + 108) / code_unit<code>, factor);
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const Bytes low = field<2>(block + 32 + i / 4 * 32, i % 4 * 2), high = field<1>(block, i);
      write(made + 32 * i, less(low | high << 2, 4));
    }
    return made;
  }
};

// d, m, scales[12], q[128]
struct Q4_K : Block256<Code::unsigned_byte, 144, 32, true> {
  static constexpr bool four_bits = true;
  static constexpr int packed_at = 16;
  static constexpr SignedSixteen levels = integers_from<0>;

  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    scales_and_minima(block, factor);
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      write(made + 32 * i, field<4>(block + 16 + i / 2 * 32, i % 2 * 4));
    }
    return made;
  }
};

// d, m, scales[12], high[32], q[128]
struct Q5_K : Block256<Code::unsigned_byte, 176, 32, true> {
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    scales_and_minima(block, factor);
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const Bytes low = field<4>(block + 48 + i / 2 * 32, i % 2 * 4);
      write(made + 32 * i, low | field<1>(block + 16, i) << 4);
    }
    return made;
  }
};

// low[128], high[64], scale[16] signed, d
struct Q6_K : Block256<Code::signed_byte, 210, 16, false> {
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    scale_16<Code::signed_byte>(block + 192, half(block + 208) / code_unit<code>, factor);
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const Bytes low = field<4>(block + i / 4 * 64 + i % 2 * 32, i % 4 / 2 * 4);
      const Bytes high = field<2>(block + 128 + i / 4 * 32, i % 4 * 2);
      write(made + 32 * i, less(low | high << 4, 32));
    }
    return made;
  }
};

}  // namespace alambic::kernels::ALAMBIC_ISA
