// Vectors of the instruction set a file is compiled for, by GCC's vector extensions: one source for
// SSE2, AVX2, AVX-512 and NEON. ALAMBIC_ISA names the namespace, so copies never meet.
#pragma once

#include <cstdint>
#include <utility>

#include "alambic/kernels/cpu_table.h"

namespace alambic::kernels::ALAMBIC_ISA {

inline constexpr int lanes = __BIGGEST_ALIGNMENT__ / 4;

typedef float Vec __attribute__((vector_size(lanes * 4)));
typedef int32_t IntVec __attribute__((vector_size(lanes * 4)));
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

/// Of each square of 2·half rows and columns in the vectors a and b, half apart: swaps the upper
/// right and the lower left quarter.
template <int half, class V, int... i>
[[gnu::always_inline]] inline void swap_quarters(V& a, V& b, std::integer_sequence<int, i...>) {
  constexpr int side = sizeof...(i);
  const V upper = __builtin_shufflevector(a, b, (i & half ? side + i - half : i)...);
  b = __builtin_shufflevector(a, b, (i & half ? side + i : i + half)...);
  a = upper;
}

/// Transposes a square of vectors.
template <int half = 1, class V, int side>
[[gnu::always_inline]] inline void transpose(V (&row)[side]) {
  if constexpr (half < side) {
#pragma GCC unroll 16
    for (int i = 0; i < side; ++i) {
      if ((i & half) != 0) continue;
      swap_quarters<half>(row[i], row[i + half], std::make_integer_sequence<int, side>());
    }
    transpose<2 * half>(row);
  }
}

/// `turn` for as many rows as V has numbers, as far as whole squares reach; returns that column.
template <class V>
[[gnu::always_inline]] inline int64_t turn_squares(const float* from, int64_t from_row,
                                                   int64_t columns, float* to, int64_t to_row) {
  constexpr int side = sizeof(V) / sizeof(float);
  int64_t j = 0;
  for (; j + side <= columns; j += side) {
    V row[side];
#pragma GCC unroll 16
    for (int i = 0; i < side; ++i) __builtin_memcpy(&row[i], from + i * from_row + j, sizeof(V));
    transpose(row);
#pragma GCC unroll 16
    for (int i = 0; i < side; ++i) __builtin_memcpy(to + (j + i) * to_row, &row[i], sizeof(V));
  }
  return j;
}

/// to[j·to_row + i] = from[i·from_row + j] for i < rows, j < columns.
inline void transpose(const float* from, int64_t from_row, int64_t rows, int64_t columns, float* to,
                      int64_t to_row) {
  for (int64_t i = 0, n = 0; i < rows; i += n, from += n * from_row, to += n) {
    const int64_t left = rows - i;
    int64_t j = 0;
    if (left >= lanes) {
      n = lanes;
      j = turn_squares<Vec>(from, from_row, columns, to, to_row);
    } else if (left >= 4) {
      n = 4;
      j = turn_squares<Quad>(from, from_row, columns, to, to_row);
    } else {
      n = left;
    }
    for (; j < columns; ++j) {
      for (int64_t k = 0; k < n; ++k) to[j * to_row + k] = from[k * from_row + j];
    }
  }
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

/// e^x to 2 units in the last place; 0 below −87.3, infinity above 88.7, NaN of NaN. Range
/// reduction and polynomial of Cephes' expf.
[[gnu::always_inline]] inline Vec exp(Vec x) {
  const Vec clamped = max(splat(-87.33f), x > 88.73f ? splat(88.73f) : x);
  const Vec shifter = splat(12582912.0f);  // 1.5·2²³: adding it rounds to an integer
  const Vec shifted = clamped * 1.44269504f + shifter;
  const Vec n = shifted - shifter;
  const Vec r = (clamped - n * 0.693359375f) - n * -2.12194440e-4f;
  Vec p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // 2^n in two factors: n reaches 128, whose power is no float.
  const IntVec k = (IntVec)shifted - 0x4B400000, half = k >> 1;
  p = p * (Vec)((half + 127) << 23) * (Vec)((k - half + 127) << 23);
  p = x < -87.33f ? splat(0.0f) : p;
  p = x > 88.73f ? splat(__builtin_inff()) : p;
  return x == x ? p : x;
}

/// tanh x to 3 units in the last place: Cephes' polynomial near zero, where the quotient would lose
/// its digits.
[[gnu::always_inline]] inline Vec tanh(Vec x) {
  const Vec size = x < 0.0f ? -x : x, z = x * x;
  Vec p = splat(-5.70498872745e-3f);
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const Vec near = p * z * x + x;
  const Vec far = 1.0f - 2.0f / (exp(size + size) + 1.0f);
  return size < 0.625f ? near : (x < 0.0f ? -far : far);
}

/// `product` without its blocking, for factors that fit the caches.
void small_product(const ProductArgs& job);

}  // namespace alambic::kernels::ALAMBIC_ISA
