// The two small matrix products everything here is made of. Weights are read where they lie, in
// row-major order: there is no packed copy that could go stale after an optimizer step.
#include "alambic/kernels/kernels_cpu.h"
#include "alambic/kernels/simd.h"

namespace alambic::kernels::ALAMBIC_ISA {
namespace {

// Registers decide: 32 vectors with AVX-512, 16 below.
constexpr bool many_registers = lanes == 16;

/// Four weight rows against R rows of x, vectors along d.
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
      __builtin_prefetch(w[e] + d + ahead);
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
[[gnu::always_inline]] inline void dot_rows(const LinearArgs& a, int64_t m, int64_t e) {
  const int64_t last = a.E - 1;
  const float* w[4];
  for (int i = 0; i < 4; ++i) w[i] = a.w + (e + i < last ? e + i : last) * a.w_row;
  Quad y[R];
  dot_block<R>(a.x + m * a.x_row, a.x_row, w, a.D, 4 * a.w_row, y);
  for (int r = 0; r < R; ++r) {
    float* row = a.y + (m + r) * a.y_row + e;
    const int64_t n = a.E - e < 4 ? a.E - e : 4;
    for (int64_t i = 0; i < n; ++i) row[i] = y[r][i] + (a.bias ? a.bias[e + i] : 0.0f);
  }
}

template <int R, int V>
[[gnu::always_inline]] inline void tile(const MatMul& job, int64_t m, int64_t e) {
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
    for (int v = 0; v < V; ++v) row[v] = load(b + v * lanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec value = splat(a[r * job.a_row]);
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
[[gnu::noinline]] void tile_rows(const MatMul& job, int64_t e) {
  int64_t m = 0;
  for (; m + R <= job.M; m += R) tile<R, V>(job, m, e);
  if constexpr (R > 4) {
    if (m + 4 <= job.M) tile<4, V>(job, m, e), m += 4;
  }
  if (m + 2 <= job.M) tile<2, V>(job, m, e), m += 2;
  if (m < job.M) tile<1, V>(job, m, e);
}

/// The last E % lanes columns.
void tile_edge(const MatMul& job, int64_t e) {
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

void mat_mul(const MatMul& job) {
  constexpr int wide = many_registers ? 4 : 2;
  int64_t e = 0;
  for (; e + wide * lanes <= job.E; e += wide * lanes) tile_rows<4, wide>(job, e);
  if constexpr (wide == 4) {
    if (e + 2 * lanes <= job.E) tile_rows<8, 2>(job, e), e += 2 * lanes;
  }
  if (e + lanes <= job.E) tile_rows<8, 1>(job, e), e += lanes;
  if (e < job.E) tile_edge(job, e);
}

void linear_output_major(const LinearArgs& a) {
  constexpr int rows = many_registers ? 4 : 2;
  for (int64_t e = 0; e < a.E; e += 4) {
    int64_t m = 0;
    for (; m + rows <= a.M; m += rows) dot_rows<rows>(a, m, e);
    if constexpr (rows == 4) {
      if (m + 2 <= a.M) dot_rows<2>(a, m, e), m += 2;
    }
    if (m < a.M) dot_rows<1>(a, m, e);
  }
}

void linear_input_major(const LinearArgs& a) {
  for (int64_t m = 0; m < a.M; ++m) {
    for (int64_t e = 0; e < a.E; ++e) a.y[m * a.y_row + e] = a.bias ? a.bias[e] : 0.0f;
  }
  // Slabs of rows of w: their pages and the slice of x stay close while e runs along them.
  constexpr int64_t slab = 64;
  for (int64_t d = 0; d < a.D; d += slab) {
    mat_mul({.a = a.x + d,
             .a_row = a.x_row,
             .a_col = 1,
             .b = a.w + d * a.w_row,
             .b_row = a.w_row,
             .c = a.y,
             .c_row = a.y_row,
             .M = a.M,
             .K = a.D - d < slab ? a.D - d : slab,
             .E = a.E,
             .accumulate = true});
  }
}

}  // namespace alambic::kernels::ALAMBIC_ISA
