// Vectors of the instruction set a file is compiled for, by GCC's vector extensions: one source for
// SSE2, AVX2, AVX-512 and NEON. ALAMBIC_ISA names the namespace, so copies never meet
// (cmake/isa_kernels.cmake). Everything is forced inline: a helper that the compiler inlines only
// after it has lowered vector choices is taken apart lane by lane (docs/LOG.md, 2026-11-28).
#pragma once

#include <cstdint>

namespace alambic::simd::ALAMBIC_ISA {

inline constexpr int lanes = __BIGGEST_ALIGNMENT__ / 4;

typedef float Vec __attribute__((vector_size(lanes * 4)));
typedef int32_t IntVec __attribute__((vector_size(lanes * 4)));
/// A row of floats seen as vectors; the row is aligned to one.
typedef float RowVec __attribute__((vector_size(lanes * 4), may_alias));
typedef float Quad __attribute__((vector_size(16)));

[[gnu::always_inline]] inline Vec load(const float* p) {
  Vec v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

[[gnu::always_inline]] inline void store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof v); }

[[gnu::always_inline]] inline Vec splat(float x) { return x - Vec{}; }

/// The first n < lanes floats, then zeros.
[[gnu::always_inline]] inline Vec load_some(const float* p, int64_t n) {
  float copy[lanes] = {};
  for (int64_t i = 0; i < n; ++i) copy[i] = p[i];
  return load(copy);
}

[[gnu::always_inline]] inline void store_some(float* p, Vec v, int64_t n) {
  float copy[lanes];
  store(copy, v);
  for (int64_t i = 0; i < n; ++i) p[i] = copy[i];
}

/// yes where the mask is set, else no.
template <class Mask>
[[gnu::always_inline]] inline Vec select(Mask mask, Vec yes, Vec no) {
  return mask ? yes : no;
}

/// Adds the quarters or halves of a vector until four sums are left.
template <class V>
[[gnu::always_inline]] inline Quad fold(V v) {
  if constexpr (sizeof(V) == 64) {
    const auto half = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                      __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    return fold(half);
  } else if constexpr (sizeof(V) == 32) {
    return __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  } else {
    return v;
  }
}

/// {sum of a, sum of b, sum of c, sum of d}.
[[gnu::always_inline]] inline Quad sums(Vec a, Vec b, Vec c, Vec d) {
  const Quad A = fold(a), B = fold(b), C = fold(c), D = fold(d);
  const Quad ab = __builtin_shufflevector(A, B, 0, 4, 1, 5) +  // a0+a2, b0+b2, a1+a3, b1+b3
                  __builtin_shufflevector(A, B, 2, 6, 3, 7);
  const Quad cd =
      __builtin_shufflevector(C, D, 0, 4, 1, 5) + __builtin_shufflevector(C, D, 2, 6, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

[[gnu::always_inline]] inline float sum(Vec v) {
  const Quad q = fold(v);
  return (q[0] + q[2]) + (q[1] + q[3]);
}

[[gnu::always_inline]] inline Vec max(Vec a, Vec b) { return a > b ? a : b; }

[[gnu::always_inline]] inline float max_lane(Vec v) {
  float m = v[0];
  for (int i = 1; i < lanes; ++i) m = m > v[i] ? m : v[i];
  return m;
}

/// The lanes' sum in double, first to last.
[[gnu::always_inline]] inline double sum_in_double(Vec v) {
  double total = 0;
  for (int i = 0; i < lanes; ++i) total += v[i];
  return total;
}

}  // namespace alambic::simd::ALAMBIC_ISA
