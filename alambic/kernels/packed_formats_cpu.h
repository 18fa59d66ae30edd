// ggml's block formats, decoded a vector at a time to exactly the numbers of io/quant/decode.h. All
// of them are integers of a byte (`code`) times a scale for each group of numbers, less a minimum
// where the format has one. The products are exact in float32 (11 bits of a half-precision scale,
// at most 8 of its factor, at most 7 of a code), so a fused multiply-add changes no number.
#pragma once

#include "alambic/kernels/packed_numbers_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {

/// Whether numbers are looked up: a group's 16 of a format of four bits fill a register, so that
/// they are made once for all of the group.
template <class Format>
inline constexpr bool looked_up = lanes == 16 && Format::four_bits;

/// The numbers that four bits stand for, times code_unit.
template <class Format>
struct LevelTable {
  alignas(64) float level[16];
  constexpr LevelTable() : level() {
    for (int i = 0; i < 16; ++i) {
      level[i] = static_cast<float>(Format::levels[i]) * code_unit<Format::code>;
    }
  }
};
template <class Format>
static constexpr LevelTable<Format> level_table;

/// Integers and factors of a block.
template <class Format>
struct Unpacked {
  static constexpr int groups = Format::numbers / Format::group;
  static constexpr int parts = groups;  ///< that `each_of_part` gives one at a time
  alignas(64) uint8_t made[Format::numbers];
  alignas(64) float factor[2 * groups];  ///< the groups' scales, then their minima
  const uint8_t* code;  ///< in `made` or, where the file has them as bytes, in the block

  [[gnu::always_inline]] explicit Unpacked(const uint8_t* block)
      : code(Format::codes(block, made)) {
    Format::factors(block, factor);
  }

  /// sink(i, v) for each vector v of numbers i … i + lanes of group g, in order.
  template <class Sink>
  [[gnu::always_inline]] void each_of_part(int g, const Sink& sink) const {
    const Vec scale = splat(factor[g]);
    // A count that is known when compiling: the loop is gone then.
#pragma GCC unroll 2
    for (int half = 0; half < Format::group; half += 16) {
      const int i = g * Format::group + half;
      each_of_16<Format::code>(code + i, [&](int j, Vec number) ALAMBIC_INLINE {
        if constexpr (Format::has_min) {
          sink(i + j, scale * number - splat(factor[groups + g]));
        } else {
          sink(i + j, scale * number);
        }
      });
    }
  }
};

#if defined(__AVX512F__)
/// The same of a format of four bits: runs of bytes, whose low halves are numbers before those of
/// their high halves.
template <class Format>
requires looked_up<Format>
struct Unpacked<Format> {
  static constexpr int groups = Format::numbers / Format::group;
  static constexpr int part = Format::numbers == 32 ? 32 : 2 * Format::group;
  static constexpr int parts = Format::numbers / part;
  alignas(64) float factor[2 * groups];
  const uint8_t* packed;

  [[gnu::always_inline]] explicit Unpacked(const uint8_t* block)
      : packed(block + Format::packed_at) {
    Format::factors(block, factor);
  }

  template <class Sink>
  [[gnu::always_inline]] void each_of_part(int p, const Sink& sink) const {
    constexpr int vectors = part / 32;  // of either half
    WordVec index[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) index[v] = words_of_bytes(packed + p * part / 2 + v * 16);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const Vec table = numbers_of((p * part + half * part / 2) / Format::group);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        sink(p * part + half * part / 2 + v * 16, look_up(table, index[v] >> 4 * half));
      }
    }
  }

 private:
  /// The 16 numbers of group g.
  [[gnu::always_inline]] Vec numbers_of(int g) const {
    const Vec number = splat(factor[g]) * load(level_table<Format>.level);
    if constexpr (Format::has_min) return number - splat(factor[groups + g]);
    return number;
  }
};
#endif

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
[[gnu::always_inline]] inline const uint8_t* look_up(const uint8_t* packed, Sixteen table,
                                                     uint8_t* codes) {
  const auto both = read<Sixteen>(packed);
  const Sixteen low = __builtin_shuffle(table, both & 15),
                high = __builtin_shuffle(table, both >> 4);
  __builtin_memcpy(codes, &low, 16);
  __builtin_memcpy(codes + 16, &high, 16);
  return codes;
}

/// first, first + 1, … first + 15.
template <int8_t first>
static constexpr SignedSixteen integers_from = {
    first,     first + 1, first + 2,  first + 3,  first + 4,  first + 5,  first + 6,  first + 7,
    first + 8, first + 9, first + 10, first + 11, first + 12, first + 13, first + 14, first + 15};

/// A format of 32 numbers with one scale.
template <Code byte, int size, bool with_min = false>
struct Block32 {
  static constexpr Code code = byte;
  static constexpr int numbers = 32, group = 32, bytes = size;
  static constexpr bool has_min = with_min, four_bits = false;
};

/// The same of four bits each, from byte `at` on.
template <Code byte, int size, int at, bool with_min = false>
struct Nibbles32 : Block32<byte, size, with_min> {
  static constexpr bool four_bits = true;
  static constexpr int packed_at = at;
};

// d, q[16]
struct Q4_0 : Nibbles32<Code::signed_byte, 18, 2> {
  static constexpr SignedSixteen levels = integers_from<-8>;
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    factor[0] = half(block) / code_unit<code>;
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
    return write(made, less(nibbles(block + 2), 8));
  }
};

// d, m, q[16]
struct Q4_1 : Nibbles32<Code::unsigned_byte, 20, 4, true> {
  static constexpr SignedSixteen levels = integers_from<0>;
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    factor[0] = half(block);
    factor[1] = -half(block + 2);
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
    return write(made, nibbles(block + 4));
  }
};

// d, high[4], q[16]
struct Q5_0 : Block32<Code::signed_byte, 22> {
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    factor[0] = half(block) / code_unit<code>;
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
    return write(made, less(nibbles(block + 6) | fifth_bits(block + 2), 16));
  }
};

// d, m, high[4], q[16]
struct Q5_1 : Block32<Code::unsigned_byte, 24, true> {
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    Q4_1::factors(block, factor);
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
    return write(made, nibbles(block + 8) | fifth_bits(block + 4));
  }
};

// d, q[32]
struct Q8_0 : Block32<Code::signed_byte, 34> {
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    factor[0] = half(block) / code_unit<code>;
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t*) {
    return block + 2;
  }
};

// d, q[16] into unevenly spaced numbers
struct IQ4_NL : Nibbles32<Code::signed_byte, 18, 2> {
  static constexpr SignedSixteen levels = {-127, -104, -83, -65, -49, -35, -22, -10,
                                           1,    13,   25,  38,  53,  69,  89,  113};
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    factor[0] = half(block) / code_unit<code>;
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
    return look_up(block + 2, (Sixteen)levels, made);
  }
};

// exponent, q[16] of E2M1; levels doubled and the power halved, so that both are exact
struct Mxfp4 : Nibbles32<Code::extended, 17, 1> {
  static constexpr SignedSixteen levels = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  [[gnu::always_inline]] static void factors(const uint8_t* block, float* factor) {
    const uint32_t e = block[0];
    const uint32_t bits = e < 2 ? uint32_t{0x200000} << e : (e - 1) << 23;
    factor[0] = read<float>(&bits);
  }
  [[gnu::always_inline]] static const uint8_t* codes(const uint8_t* block, uint8_t* made) {
    return look_up(block + 1, (Sixteen)levels, made);
  }
};

}  // namespace alambic::kernels::ALAMBIC_ISA
