// A number of a block of ggml's formats by its place: io/quant/decode_blocks.h for one thread.
// Products are rounded one by one, as there: no fused multiply-add.
#pragma once

#include "alambic/kernels/cuda/numbers.h"

namespace alambic::kernels::device {

__device__ __forceinline__ float half_at(const uint8_t* bytes) {
  return half_to_float(static_cast<uint16_t>(bytes[0] | bytes[1] << 8));
}

/// Number i of 32 in the halves of 16 bytes: the upper ones are the last 16.
__device__ __forceinline__ int nibble_of(const uint8_t* bytes, int i) {
  return bytes[i % 16] >> i / 16 * 4 & 0xf;
}

/// The same with a fifth bit, of the four bytes at `high`.
__device__ __forceinline__ int five_bits_of(const uint8_t* high, const uint8_t* low, int i) {
  return nibble_of(low, i) | (high[i / 8] >> i % 8 & 1) << 4;
}

/// E2M1, doubled: the levels 0, ½, 1, 1½, 2, 3, 4, 6.
__device__ __forceinline__ float twice_e2m1(int bits) {
  const int size = bits & 7;
  const int twice = size < 4 ? size : size < 6 ? 2 * size - 4 : 4 * size - 16;
  return static_cast<float>((bits & 8) != 0 ? -twice : twice);
}

/// 2^(e − 128): with doubled levels all is exact.
__device__ __forceinline__ float half_of_power(uint32_t e) {
  return __uint_as_float(e < 2 ? 0x200000u << e : (e - 1) << 23);
}

/// IQ4_NL's level of four bits: a byte of one of two words, the negative ones first.
__device__ __forceinline__ float level_of_iq4(int bits) {
  const uint64_t levels = bits < 8 ? 0xf6eaddcfbfad9881u : 0x7159453526190d01u;
  return static_cast<float>(static_cast<int8_t>(levels >> bits % 8 * 8));
}

/// scale · q, and with a minimum taken away.
__device__ __forceinline__ float scaled(float scale, int q) {
  return __fmul_rn(scale, static_cast<float>(q));
}
__device__ __forceinline__ float above(float scale, int q, float min) {
  return __fsub_rn(scaled(scale, q), min);
}

/// A block: `numbers` in `bytes`, and its i-th number.
template <DevicePacked format>
struct Block;

// d, q[16]
template <>
struct Block<DevicePacked::q4_0> {
  static constexpr uint32_t numbers = 32, bytes = 18;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    return scaled(half_at(block), nibble_of(block + 2, i) - 8);
  }
};

// d, m, q[16]
template <>
struct Block<DevicePacked::q4_1> {
  static constexpr uint32_t numbers = 32, bytes = 20;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    return __fadd_rn(scaled(half_at(block), nibble_of(block + 4, i)), half_at(block + 2));
  }
};

// d, high[4], q[16]
template <>
struct Block<DevicePacked::q5_0> {
  static constexpr uint32_t numbers = 32, bytes = 22;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    return scaled(half_at(block), five_bits_of(block + 2, block + 6, i) - 16);
  }
};

// d, m, high[4], q[16]
template <>
struct Block<DevicePacked::q5_1> {
  static constexpr uint32_t numbers = 32, bytes = 24;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    const int q = five_bits_of(block + 4, block + 8, i);
    return __fadd_rn(scaled(half_at(block), q), half_at(block + 2));
  }
};

// d, q[32] signed
template <>
struct Block<DevicePacked::q8_0> {
  static constexpr uint32_t numbers = 32, bytes = 34;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    return scaled(half_at(block), static_cast<int8_t>(block[2 + i]));
  }
};

// d, q[16]
template <>
struct Block<DevicePacked::iq4_nl> {
  static constexpr uint32_t numbers = 32, bytes = 18;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    return __fmul_rn(half_at(block), level_of_iq4(nibble_of(block + 2, i)));
  }
};

// exponent, q[16]
template <>
struct Block<DevicePacked::mxfp4> {
  static constexpr uint32_t numbers = 32, bytes = 17;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    return twice_e2m1(nibble_of(block + 1, i)) * half_of_power(block[0]);
  }
};

/// The "K" formats' numbers of two bits: runs of 128 share 32 bytes, four in each.
__device__ __forceinline__ int two_bits_of(const uint8_t* bytes, int i) {
  return bytes[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

/// Of four bits: runs of 64 share 32 bytes, two in each.
__device__ __forceinline__ int four_bits_of(const uint8_t* bytes, int i) {
  return bytes[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 0xf;
}

/// Of one bit: 32 bytes, eight in each.
__device__ __forceinline__ int bit_of(const uint8_t* bytes, int i) {
  return bytes[i % 32] >> i / 32 & 1;
}

/// Sub-block s of eight's scale and minimum of 6 bits in the 12 bytes of Q4_K and Q5_K.
__device__ __forceinline__ int scale_of_k(const uint8_t* packed, int s) {
  return s < 4 ? packed[s] & 63 : (packed[s + 4] & 0xf) | packed[s - 4] >> 6 << 4;
}
__device__ __forceinline__ int min_of_k(const uint8_t* packed, int s) {
  return s < 4 ? packed[s + 4] & 63 : packed[s + 4] >> 4 | packed[s] >> 6 << 4;
}

// scale and minimum[16] of 4 bits each, q[64], d, m
template <>
struct Block<DevicePacked::q2_k> {
  static constexpr uint32_t numbers = 256, bytes = 84;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    const int both = block[i / 16];
    return above(scaled(half_at(block + 80), both & 0xf), two_bits_of(block + 16, i),
                 scaled(half_at(block + 82), both >> 4));
  }
};

// high[32] (a clear bit takes 4 away), q[64], scales[12], d. A scale's low half is in eight bytes,
// its upper two bits in the next four.
template <>
struct Block<DevicePacked::q3_k> {
  static constexpr uint32_t numbers = 256, bytes = 110;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    const uint8_t* packed = block + 96;
    const int s = i / 16;
    const int low = packed[s % 8] >> s / 8 * 4 & 0xf, high = packed[8 + s % 4] >> s / 4 * 2 & 3;
    const int q = two_bits_of(block + 32, i) + bit_of(block, i) * 4 - 4;
    return scaled(scaled(half_at(block + 108), (low | high << 4) - 32), q);
  }
};

// d, m, scales[12], q[128]
template <>
struct Block<DevicePacked::q4_k> {
  static constexpr uint32_t numbers = 256, bytes = 144;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    return above(scaled(half_at(block), scale_of_k(block + 4, i / 32)), four_bits_of(block + 16, i),
                 scaled(half_at(block + 2), min_of_k(block + 4, i / 32)));
  }
};

// d, m, scales[12], high[32], q[128]
template <>
struct Block<DevicePacked::q5_k> {
  static constexpr uint32_t numbers = 256, bytes = 176;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    const int q = four_bits_of(block + 48, i) | bit_of(block + 16, i) << 4;
    return above(scaled(half_at(block), scale_of_k(block + 4, i / 32)), q,
                 scaled(half_at(block + 2), min_of_k(block + 4, i / 32)));
  }
};

// low[128], high[64], scale[16] signed, d. Runs of 128 share 64 low bytes, two numbers in each.
template <>
struct Block<DevicePacked::q6_k> {
  static constexpr uint32_t numbers = 256, bytes = 210;
  static __device__ __forceinline__ float number(const uint8_t* block, int i) {
    const int low = block[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 0xf;
    const int q = (low | two_bits_of(block + 128, i) << 4) - 32;
    return scaled(scaled(half_at(block + 208), static_cast<int8_t>(block[192 + i / 16])), q);
  }
};

}  // namespace alambic::kernels::device
