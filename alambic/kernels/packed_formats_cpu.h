// ggml's block formats, decoded a vector at a time to exactly the numbers of io/quant/decode.h. All
// of them are integers of a byte (`code`) times a scale for each group of numbers, less a minimum
// where the format has one. The products are exact in float32 (11 bits of a half-precision scale,
// at most 8 of its factor, at most 7 of a code), so a fused multiply-add changes no number.
#pragma once

#include "alambic/kernels/packed_numbers_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {

/// Integers and factors of a block.
template <class Format>
struct Unpacked {
  static constexpr int groups = Format::numbers / Format::group;
  const uint8_t* code;  ///< in `made` or, where the file has them as bytes, in the block
  alignas(64) uint8_t made[Format::numbers];
  alignas(64) float factor[2 * groups];  ///< the groups' scales, then their minima

  [[gnu::always_inline]] explicit Unpacked(const uint8_t* block) : code(made) {
    Format::unpack(block, *this);
  }
};

/// sink(i, v) for each vector v of numbers i … i + lanes of a block's group g, in order.
template <class Format, class Sink>
[[gnu::always_inline]] inline void each_of_group(const Unpacked<Format>& parts, int g,
                                                 const Sink& sink) {
  const Vec scale = splat(parts.factor[g]);
  // A count that is known when compiling: the loop is gone then.
#pragma GCC unroll 2
  for (int half = 0; half < Format::group; half += 16) {
    const int i = g * Format::group + half;
    each_of_16<Format::code>(parts.code + i, [&](int j, Vec number) ALAMBIC_INLINE {
      if constexpr (Format::has_min) {
        sink(i + j, scale * number - splat(parts.factor[parts.groups + g]));
      } else {
        sink(i + j, scale * number);
      }
    });
  }
}

/// 32 numbers of 4 bits: number i < 16 in the low half of byte i, number i + 16 in its high half.
[[gnu::always_inline]] inline Bytes nibbles(const uint8_t* packed) {
  return (twice(packed) >> Bytes{0, 0, 4, 4}) & eight(15);
}

/// 16 in byte i where bit i of the four bytes at `bits` is set.
[[gnu::always_inline]] inline Bytes fifth_bits(const uint8_t* bits) {
  typedef uint8_t Bytes8 __attribute__((vector_size(32)));
  const uint64_t word = read<uint32_t>(bits);
  const Bytes8 all = (Bytes8)(Bytes{} + (word | word << 32));
  const Bytes8 spread =
      __builtin_shufflevector(all, all, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2 + 16,
                              2 + 16, 2 + 16, 2 + 16, 2 + 16, 2 + 16, 2 + 16, 2 + 16, 3 + 16,
                              3 + 16, 3 + 16, 3 + 16, 3 + 16, 3 + 16, 3 + 16, 3 + 16);
  const Bytes own = Bytes{} + 0x8040201008040201u;  // bit i % 8 of byte i
  return (Bytes)((Bytes8)((Bytes)spread & own) == (Bytes8)own) & eight(16);
}

/// 32 numbers of 4 bits as indices into a table of bytes.
[[gnu::always_inline]] inline void look_up(const uint8_t* packed, Sixteen table, uint8_t* codes) {
  const auto both = read<Sixteen>(packed);
  const Sixteen low = __builtin_shuffle(table, both & 15),
                high = __builtin_shuffle(table, both >> 4);
  __builtin_memcpy(codes, &low, 16);
  __builtin_memcpy(codes + 16, &high, 16);
}

/// A format of 32 numbers with one scale.
template <Code byte, int size, bool with_min = false>
struct Block32 {
  static constexpr Code code = byte;
  static constexpr int numbers = 32, group = 32, bytes = size;
  static constexpr bool has_min = with_min;
};

// d, q[16]
struct Q4_0 : Block32<Code::signed_byte, 18> {
  [[gnu::always_inline]] static void unpack(const uint8_t* block, Unpacked<Q4_0>& to) {
    to.factor[0] = half(block) / code_unit<code>;
    write(to.made, less(nibbles(block + 2), 8));
  }
};

// d, m, q[16]
struct Q4_1 : Block32<Code::unsigned_byte, 20, true> {
  [[gnu::always_inline]] static void unpack(const uint8_t* block, Unpacked<Q4_1>& to) {
    to.factor[0] = half(block);
    to.factor[1] = -half(block + 2);
    write(to.made, nibbles(block + 4));
  }
};

// d, high[4], q[16]
struct Q5_0 : Block32<Code::signed_byte, 22> {
  [[gnu::always_inline]] static void unpack(const uint8_t* block, Unpacked<Q5_0>& to) {
    to.factor[0] = half(block) / code_unit<code>;
    write(to.made, less(nibbles(block + 6) | fifth_bits(block + 2), 16));
  }
};

// d, m, high[4], q[16]
struct Q5_1 : Block32<Code::unsigned_byte, 24, true> {
  [[gnu::always_inline]] static void unpack(const uint8_t* block, Unpacked<Q5_1>& to) {
    to.factor[0] = half(block);
    to.factor[1] = -half(block + 2);
    write(to.made, nibbles(block + 8) | fifth_bits(block + 4));
  }
};

// d, q[32]
struct Q8_0 : Block32<Code::signed_byte, 34> {
  [[gnu::always_inline]] static void unpack(const uint8_t* block, Unpacked<Q8_0>& to) {
    to.factor[0] = half(block) / code_unit<code>;
    to.code = block + 2;
  }
};

// d, q[16] into unevenly spaced numbers
struct IQ4_NL : Block32<Code::signed_byte, 18> {
  [[gnu::always_inline]] static void unpack(const uint8_t* block, Unpacked<IQ4_NL>& to) {
    constexpr SignedSixteen levels = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};
    to.factor[0] = half(block) / code_unit<code>;
    look_up(block + 2, (Sixteen)levels, to.made);
  }
};

// exponent, q[16] of E2M1; levels doubled and the power halved, so that both are exact
struct Mxfp4 : Block32<Code::extended, 17> {
  [[gnu::always_inline]] static void unpack(const uint8_t* block, Unpacked<Mxfp4>& to) {
    constexpr SignedSixteen levels = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    const uint32_t e = block[0];
    const uint32_t bits = e < 2 ? uint32_t{0x200000} << e : (e - 1) << 23;
    to.factor[0] = read<float>(&bits);
    look_up(block + 1, (Sixteen)levels, to.made);
  }
};

}  // namespace alambic::kernels::ALAMBIC_ISA
