// Integers, half-precision numbers and bfloat16 as vectors of floats, and the byte arithmetic by
// which block formats give up their codes. Widening conversions are intrinsics: GCC 12 takes those
// of its vector extensions apart lane by lane.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "alambic/kernels/kernels_cpu.h"

/// For lambdas, which are no exception to the rule of simd/vector.h.
#define ALAMBIC_INLINE __attribute__((always_inline))

namespace alambic::kernels::ALAMBIC_ISA {

typedef uint32_t WordVec __attribute__((vector_size(lanes * 4)));

/// 32 bytes, shifted as words of 64 bits: bits that come from a neighbor are masked away.
typedef uint64_t Bytes __attribute__((vector_size(32)));
typedef int8_t SignedBytes __attribute__((vector_size(32)));
typedef uint8_t Sixteen __attribute__((vector_size(16)));
typedef int8_t SignedSixteen __attribute__((vector_size(16)));

template <class T>
[[gnu::always_inline]] inline T read(const void* from) {
  T value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

[[gnu::always_inline]] inline uint8_t* write(uint8_t* to, Bytes bytes) {
  __builtin_memcpy(to, &bytes, sizeof bytes);
  return to;
}

/// The same byte eight times.
inline constexpr uint64_t eight(uint64_t byte) { return byte * 0x0101010101010101u; }

/// 16 bytes twice.
[[gnu::always_inline]] inline Bytes twice(const uint8_t* from) {
  const auto a = read<uint64_t>(from), b = read<uint64_t>(from + 8);
  return Bytes{a, b, a, b};
}

/// Each byte of 32 less n.
[[gnu::always_inline]] inline Bytes less(Bytes bytes, int8_t n) {
  return (Bytes)((SignedBytes)bytes - n);
}

#if defined(__AVX2__)
/// For each 128-bit lane the bytes that `lanes` words take from its 16: byte first + i of word i,
/// at `place` of the word's four bytes; 128 makes a zero.
template <int first, int place>
struct Spread {
  alignas(64) uint8_t from[lanes * 4];
  constexpr Spread() : from() {
    for (int i = 0; i < lanes * 4; ++i) {
      from[i] = i % 4 == place ? static_cast<uint8_t>(first + i / 4) : 128;
    }
  }
};
template <int first, int place>
static constexpr Spread<first, place> spread;
#else
/// Bytes first … first + 4 of 16 in the lower or the upper quarters of words.
template <int first, bool upper>
[[gnu::always_inline]] inline IntVec spread(Sixteen bytes) {
  typedef uint16_t Eight __attribute__((vector_size(16)));
  const Sixteen none = {}, low = upper ? none : bytes, high = upper ? bytes : none;
  const auto pairs =
      (Eight)(first < 8 ? __builtin_shufflevector(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                                  21, 6, 22, 7, 23)
                        : __builtin_shufflevector(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                                  13, 29, 14, 30, 15, 31));
  const Eight zero = {}, even = upper ? zero : pairs, odd = upper ? pairs : zero;
  return (IntVec)(first % 8 < 4 ? __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11)
                                : __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15));
}
#endif

/// What a byte is: without sign, or with one. Signed bytes lie in the upper quarters of words
/// unless `extended`, which costs a shift and suits scales that are too small to divide.
enum class Code { unsigned_byte, signed_byte, extended };

/// Factor by which integers<code> are too large.
template <Code code>
inline constexpr float code_unit = code == Code::signed_byte ? 0x1p24f : 1.0f;

/// The integers of a byte each first … first + lanes of 16 at `codes`, times code_unit<code>.
template <Code code, int first>
[[gnu::always_inline]] inline IntVec integers(const uint8_t* codes) {
#if defined(__AVX2__)
  constexpr const uint8_t *from = spread < first, code == Code::unsigned_byte ? 0 : 3 >.from;
#if defined(__AVX512F__)
  const __m512i all = _mm512_maskz_broadcast_i32x4(0xffff, read<__m128i>(codes));
  const auto words = (IntVec)_mm512_maskz_shuffle_epi8(~__mmask64{0}, all, read<__m512i>(from));
#else
  const __m256i all = _mm256_broadcastsi128_si256(read<__m128i>(codes));
  const auto words = (IntVec)_mm256_shuffle_epi8(all, read<__m256i>(from));
#endif
#else
  const auto all = read<Sixteen>(codes);
  const IntVec words = spread<first, code != Code::unsigned_byte>(all);
#endif
  return code == Code::extended ? words >> 24 : words;
}

/// sink(i, v) for the vectors v of 16 integers, times code_unit<code>.
template <Code code, int first = 0, class Sink>
[[gnu::always_inline]] inline void each_of_16(const uint8_t* codes, const Sink& sink) {
  sink(first, __builtin_convertvector(integers<code, first>(codes), Vec));
  if constexpr (first + lanes < 16) each_of_16<code, first + lanes>(codes, sink);
}

/// `lanes` numbers of 16 bits in the lower halves of words.
[[gnu::always_inline]] inline WordVec words_of_halves(const uint8_t* from) {
#if defined(__AVX512F__)
  return (WordVec)_mm512_maskz_cvtepu16_epi32(0xffff, read<__m256i>(from));
#elif defined(__AVX2__)
  return (WordVec)_mm256_cvtepu16_epi32(read<__m128i>(from));
#else
  WordVec words;
  for (int i = 0; i < lanes; ++i) words[i] = read<uint16_t>(from + 2 * i);
  return words;
#endif
}

/// `lanes` bytes in the lower quarters of words.
[[gnu::always_inline]] inline WordVec words_of_bytes(const uint8_t* from) {
#if defined(__AVX512F__)
  return (WordVec)_mm512_maskz_cvtepu8_epi32(0xffff, read<__m128i>(from));
#elif defined(__AVX2__)
  return (WordVec)_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
#else
  WordVec words;
  for (int i = 0; i < lanes; ++i) words[i] = from[i];
  return words;
#endif
}

/// `lanes` numbers of F8_E4M3: exponent bias 7, no infinities, all bits but the sign are NaN.
[[gnu::always_inline]] inline Vec e4m3(const uint8_t* from) {
  const WordVec bits = words_of_bytes(from), size = bits & 0x7f;
  // The exponent of float32 is 120 larger; the product makes subnormal numbers right too.
  const WordVec scaled = (WordVec)((Vec)(size << 20) * 0x1p120f);
  const WordVec special = (WordVec)(size == 0x7f) & 0x7fc00000;
  return (Vec)(scaled | special | (bits & 0x80) << 24);
}

#if defined(__AVX512F__)
/// table[index % 16] of each lane.
[[gnu::always_inline]] inline Vec look_up(Vec table, WordVec index) {
  return (Vec)_mm512_maskz_permutexvar_ps(0xffff, (__m512i)index, (__m512)table);
}
#endif

[[gnu::always_inline]] inline Vec bfloats(const uint8_t* from) {
  return (Vec)(words_of_halves(from) << 16);
}

[[gnu::always_inline]] inline Vec halves(const uint8_t* from) {
#if defined(__AVX512F__)
  return (Vec)_mm512_maskz_cvtph_ps(0xffff, read<__m256i>(from));
#elif defined(__F16C__)
  return (Vec)_mm256_cvtph_ps(read<__m128i>(from));
#else
  const WordVec bits = words_of_halves(from);
  const WordVec size = (bits & 0x7fff) << 13;
  // Fraction and exponent of float32 lie 13 bits higher, its exponent is 112 larger; the product
  // makes subnormal numbers right too. Infinity and NaN keep the largest exponent.
  const WordVec scaled = (WordVec)((Vec)size * 0x1p112f);
  const WordVec special = size >= 0x0f800000 ? WordVec{} + 0x7f800000 : WordVec{};
  return (Vec)(scaled | special | (bits & 0x8000) << 16);
#endif
}

[[gnu::always_inline]] inline float half(const uint8_t* from) {
#if defined(__F16C__)
  return _cvtsh_ss(read<uint16_t>(from));
#else
  uint8_t padded[lanes * 2] = {from[0], from[1]};
  return halves(padded)[0];
#endif
}

}  // namespace alambic::kernels::ALAMBIC_ISA
