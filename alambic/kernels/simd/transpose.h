// Transposed copies of matrices, a square of vectors at a time.
#pragma once

#include <utility>

#include "alambic/kernels/simd/vector.h"

namespace alambic::simd::ALAMBIC_ISA {

/// Swap of the upper right and the lower left quarter of each square of 2·half rows and columns in
/// the vectors a and b, half apart.
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

/// `transpose` for as many rows as V has numbers, as far as whole squares reach; returns that
/// column.
template <class V>
[[gnu::always_inline]] inline int64_t transpose_squares(const float* from, int64_t from_row,
                                                        int64_t columns, float* to,
                                                        int64_t to_row) {
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
      j = transpose_squares<Vec>(from, from_row, columns, to, to_row);
    } else if (left >= 4) {
      n = 4;
      j = transpose_squares<Quad>(from, from_row, columns, to, to_row);
    } else {
      n = left;
    }
    for (; j < columns; ++j) {
      for (int64_t k = 0; k < n; ++k) to[j * to_row + k] = from[k * from_row + j];
    }
  }
}

}  // namespace alambic::simd::ALAMBIC_ISA
