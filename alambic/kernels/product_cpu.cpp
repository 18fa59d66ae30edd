// Products of few rows, as decoding makes them. Weights are read where they lie, in row-major
// order: there is no packed copy that could go stale after an optimizer step.
#include "alambic/kernels/row_tiles_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {
namespace {

// Registers decide: 32 vectors with AVX-512, 16 below.
constexpr bool many_registers = lanes == 16;

/// Four weight rows against R rows of x, vectors along d. `ahead`: distance of the rows that will
/// be next; 0: these are still needed.
template <int R>
[[gnu::always_inline]] inline void dot_block(const float* x, int64_t x_row,
                                             const float* const (&w)[4], int64_t D, int64_t ahead,
                                             Quad (&y)[R]) {
  Vec total[R][4] = {};
  int64_t d = 0;
  for (; d + lanes <= D; d += lanes) {
    Vec weight[4];
#pragma GCC unroll 4
    for (int e = 0; e < 4; ++e) {
      weight[e] = load(w[e] + d);
      if (ahead > 0) prefetch_weights(w[e] + d + ahead);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec value = load(x + r * x_row + d);
#pragma GCC unroll 4
      for (int e = 0; e < 4; ++e) total[r][e] += value * weight[e];
    }
  }
  if (d < D) {
    for (int r = 0; r < R; ++r) {
      const Vec value = load_some(x + r * x_row + d, D - d);
      for (int e = 0; e < 4; ++e) total[r][e] += value * load_some(w[e] + d, D - d);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    y[r] = sums(total[r][0], total[r][1], total[r][2], total[r][3]);
  }
}

template <int R>
[[gnu::always_inline]] inline void dot_rows(const ProductArgs& job, int64_t m, int64_t e,
                                            int64_t ahead) {
  const int64_t last = job.E - 1;
  const float* w[4];
  for (int i = 0; i < 4; ++i) w[i] = job.b + (e + i < last ? e + i : last) * job.b_row;
  Quad y[R];
  dot_block<R>(job.a + m * job.a_row, job.a_row, w, job.K, ahead, y);
  for (int r = 0; r < R; ++r) {
    float* row = job.c + (m + r) * job.c_row + e;
    const int64_t n = job.E - e < 4 ? job.E - e : 4;
    for (int64_t i = 0; i < n; ++i) row[i] = y[r][i] + (job.accumulate ? row[i] : 0.0f);
  }
}

/// `rows` ≤ R rows of x.
template <int R>
[[gnu::always_inline]] inline void dot_some(const ProductArgs& job, int64_t m, int64_t e,
                                            int64_t ahead, int64_t rows) {
  if (rows == R) return dot_rows<R>(job, m, e, ahead);
  if constexpr (R > 1) dot_some<R - 1>(job, m, e, ahead, rows);
}

template <int R, int V>
[[gnu::always_inline]] inline void tile(const ProductArgs& job, int64_t m, int64_t e, bool ahead) {
  const float* a = job.a + m * job.a_row;
  const float* b = job.b + e;
  float* c = job.c + m * job.c_row + e;
  Vec total[R][V] = {};
  if (job.accumulate) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) total[r][v] = load(c + r * job.c_row + v * lanes);
    }
  }
  for (int64_t k = 0; k < job.K; ++k, a += job.a_col, b += job.b_row) {
    Vec row[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      row[v] = load(b + v * lanes);
      if (ahead) prefetch_weights(b + v * lanes + 64);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const float value = a[r * job.a_row];
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) total[r][v] += value * row[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(c + r * job.c_row + v * lanes, total[r][v]);
  }
}

template <int R, int V>
[[gnu::noinline]] void tile_rows(const ProductArgs& job, int64_t e) {
  int64_t m = 0;
  if (R <= job.M) tile<R, V>(job, m, e, true), m = R;
  for (; m + R <= job.M; m += R) tile<R, V>(job, m, e, false);
  if constexpr (R > 4) {
    if (m + 4 <= job.M) tile<4, V>(job, m, e, false), m += 4;
  }
  if (m + 2 <= job.M) tile<2, V>(job, m, e, m == 0), m += 2;
  if (m < job.M) tile<1, V>(job, m, e, m == 0);
}

/// The last E % lanes columns.
void tile_edge(const ProductArgs& job, int64_t e) {
  const int64_t n = job.E - e;
  for (int64_t m = 0; m < job.M; ++m) {
    float* c = job.c + m * job.c_row + e;
    Vec total = job.accumulate ? load_some(c, n) : splat(0.0f);
    for (int64_t k = 0; k < job.K; ++k) {
      total += job.a[m * job.a_row + k * job.a_col] * load_some(job.b + k * job.b_row + e, n);
    }
    store_some(c, total, n);
  }
}

}  // namespace

void small_product(const ProductArgs& job) {
  constexpr int wide = many_registers ? 4 : 2;
  int64_t e = 0;
  if (job.M == 1) {
    for (; e + 8 * lanes <= job.E; e += 8 * lanes) tile_rows<1, 8>(job, e);
  }
  for (; e + wide * lanes <= job.E; e += wide * lanes) tile_rows<4, wide>(job, e);
  if constexpr (wide == 4) {
    if (e + 2 * lanes <= job.E) tile_rows<8, 2>(job, e), e += 2 * lanes;
  }
  if (e + lanes <= job.E) tile_rows<8, 1>(job, e), e += lanes;
  if (e < job.E) tile_edge(job, e);
}

namespace {

/// Rows of a taken together: they and their part of c stay in the second-level cache while b
/// passes.
constexpr int64_t row_block = 32;
/// Rows of b taken together: their pages and the slice of a stay close while e runs along them.
constexpr int64_t slab = 64;

int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

}  // namespace

void product(const ProductArgs& all) {
  for (int64_t m = 0; m < all.M; m += row_block) {
    for (int64_t k = 0; k < all.K || k == 0; k += slab) {
      ProductArgs part = all;
      part.a += m * all.a_row + k * all.a_col;
      part.b += k * all.b_row;
      part.c += m * all.c_row;
      part.M = min(row_block, all.M - m);
      part.K = min(slab, all.K - k);
      part.accumulate = all.accumulate || k > 0;
      small_product(part);
    }
  }
}

void product_transposed(const ProductArgs& all) {
  constexpr int most = many_registers ? 6 : 3;
  for (int64_t first = 0; first < all.M; first += row_block) {
    const int64_t end = min(first + row_block, all.M);
    for (int64_t e = 0; e < all.E; e += 4) {
      for (int64_t m = first, rows = 0; m < end; m += rows) {
        rows = even_part(end - m, most);
        dot_some<most>(all, m, e, m == first ? 4 * all.b_row : 0, rows);
      }
    }
  }
}

}  // namespace alambic::kernels::ALAMBIC_ISA
