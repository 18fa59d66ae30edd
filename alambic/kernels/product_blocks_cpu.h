// Products of many rows, as training makes them, blocked for the caches as in K. Goto and R. van de
// Geijn, Anatomy of High-Performance Matrix Multiplication (2008): strips of b are copied once per
// block and stay in the second-level cache, a tile of a in the first, a tile of c in registers.
#pragma once

#include "alambic/kernels/kernels_cpu.h"
#include "alambic/kernels/simd/transpose.h"

namespace alambic::kernels::ALAMBIC_ISA {
namespace {

// A tile of c: 24 of the 32 registers of AVX-512, 12 of 16 below.
constexpr int vectors = 2;
constexpr int max_rows = lanes == 16 ? 12 : 6;
constexpr int64_t strip = vectors * lanes;
/// A block of b is depth × width: 512 kB.
constexpr int64_t depth = 256;
constexpr int64_t width = 512;
static_assert(width % strip == 0);

inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

/// Sums of one block of b for a few rows of c.
struct Rows {
  const float* a;  ///< element (0, k of the block), in strides of ProductArgs
  const float* b;  ///< strips of [K, strip], zeros beyond column E
  float* c;
  int64_t K, E;
  bool accumulate;
};

template <int rows>
[[gnu::always_inline]] inline void tile(const float* a, const float* b, int64_t K,
                                        Vec (&total)[rows][vectors]) {
  for (int64_t k = 0; k < K; ++k, a += rows, b += strip) {
    Vec row[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) row[v] = load(b + v * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) total[r][v] += a[r] * row[v];
    }
  }
}

template <int rows>
[[gnu::always_inline]] inline void put(const Vec (&total)[rows][vectors], float* c, int64_t c_row,
                                       int64_t columns, bool accumulate) {
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r, c += c_row) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) {
      float* to = c + v * lanes;
      const int64_t n = columns - v * lanes;
      if (n >= lanes) {
        store(to, accumulate ? load(to) + total[r][v] : total[r][v]);
      } else if (n > 0) {
        store_some(to, accumulate ? load_some(to, n) + total[r][v] : total[r][v], n);
      }
    }
  }
}

/// to[k·rows + r] = a(r, k).
template <int rows>
void pack(const ProductArgs& all, const Rows& job, float* to) {
  if (all.a_row == 1) {
    for (int64_t k = 0; k < job.K; ++k) {
      __builtin_memcpy(to + k * rows, job.a + k * all.a_col, rows * sizeof(float));
    }
  } else if (all.a_col == 1) {
    transpose(job.a, all.a_row, rows, job.K, to, rows);
  } else {
    for (int64_t k = 0; k < job.K; ++k) {
      for (int r = 0; r < rows; ++r) to[k * rows + r] = job.a[r * all.a_row + k * all.a_col];
    }
  }
}

template <int rows>
[[gnu::noinline]] void run_rows(const ProductArgs& all, const Rows& job) {
  alignas(64) float a[depth * rows];
  pack<rows>(all, job, a);
  for (int64_t e = 0; e < job.E; e += strip) {
    Vec total[rows][vectors] = {};
    tile<rows>(a, job.b + e * job.K, job.K, total);
    put<rows>(total, job.c + e, all.c_row, job.E - e, job.accumulate);
  }
}

template <int rows = max_rows>
[[gnu::always_inline]] inline void run_count(int64_t count, const ProductArgs& all,
                                             const Rows& job) {
  if constexpr (rows == 1) {
    run_rows<1>(all, job);
  } else if (count == rows) {
    run_rows<rows>(all, job);
  } else {
    run_count<rows - 1>(count, all, job);
  }
}

/// fill(e, k, E, K, block) writes b(k … k + K, e … e + E) to `block`: strips of [K, strip], zeros
/// beyond column E. K ≤ depth, E ≤ width.
template <class Fill>
[[gnu::always_inline]] inline void by_blocks(const ProductArgs& all, Fill fill) {
  alignas(64) float block[depth * width];
  // Rows are dealt evenly: a last tile of few rows would not fill the pipeline.
  const int64_t tiles = (all.M + max_rows - 1) / max_rows;
  for (int64_t k = 0; k < all.K || k == 0; k += depth) {
    const int64_t K = min(depth, all.K - k);
    for (int64_t e = 0; e < all.E; e += width) {
      const int64_t E = min(width, all.E - e);
      fill(e, k, E, K, block);
      for (int64_t i = 0; i < tiles; ++i) {
        const int64_t m = all.M * i / tiles, rows = all.M * (i + 1) / tiles - m;
        run_count(rows, all,
                  {.a = all.a + m * all.a_row + k * all.a_col,
                   .b = block,
                   .c = all.c + m * all.c_row + e,
                   .K = K,
                   .E = E,
                   .accumulate = all.accumulate || k > 0});
      }
    }
  }
}

}  // namespace

}  // namespace alambic::kernels::ALAMBIC_ISA
