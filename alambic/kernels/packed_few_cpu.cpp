// Products of few rows with packed weights. As many rows as registers hold sums of, and any number
// with plain formats, take each block's numbers from registers; more of them share a slab that is
// decoded to the first-level cache. Each sum is that of product_transposed (product_cpu.cpp):
// vectors along k, added up at the end.
#include "alambic/kernels/packed_dispatch_cpu.h"
#include "alambic/kernels/row_tiles_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {
namespace {

constexpr bool many_registers = lanes == 16;

/// Rows of a whose sums with four rows of b fit the registers.
constexpr int most_rows = many_registers ? 6 : 3;

/// Rows of c made together, which share the decoded slab; their sums stay in the caches.
constexpr int64_t row_block = 32;

int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

/// Four rows of b from e on; those beyond the last are the last again.
struct FourRows {
  const uint8_t* row[4];

  FourRows(const PackedArgs& job, int64_t e) {
    for (int i = 0; i < 4; ++i) row[i] = job.b + min(e + i, job.E - 1) * job.b_row;
  }
};

[[gnu::always_inline]] inline void put(const PackedArgs& job, int64_t m, int64_t e,
                                       const Vec (&total)[4]) {
  const Quad y = sums(total[0], total[1], total[2], total[3]);
  float* c = job.c + m * job.c_row + e;
  const int64_t n = min(4, job.E - e);
  for (int64_t i = 0; i < n; ++i) c[i] = y[i] + (job.accumulate ? c[i] : 0.0f);
}

/// Sums of R rows of a with four rows of b, vectors along k.
template <int R>
struct Totals {
  const float* a;
  int64_t a_row;
  Vec total[R][4] = {};

  /// Adds the share of column k on of row e, which is known when compiling: sums in registers
  /// cannot be numbered otherwise.
  template <int e>
  [[gnu::always_inline]] void add(int64_t k, Vec weight) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) total[r][e] += load(a + r * a_row + k) * weight;
  }
  template <int e, class Format>
  [[gnu::always_inline]] void add_part(int64_t k, const Unpacked<Format>& block, int p) {
    block.each_of_part(p, [&](int i, Vec weight) ALAMBIC_INLINE { add<e>(k + i, weight); });
  }
};

/// Adds the shares of a block of each row. The rows take turns: one's sum waits for its last
/// addition.
template <class Format, int R>
[[gnu::always_inline]] inline void add_blocks(const FourRows& b, int64_t at, int64_t k,
                                              Totals<R>& totals) {
  if constexpr (is_plain<Format>) {
    totals.template add<0>(k, Format::vector(b.row[0] + at));
    totals.template add<1>(k, Format::vector(b.row[1] + at));
    totals.template add<2>(k, Format::vector(b.row[2] + at));
    totals.template add<3>(k, Format::vector(b.row[3] + at));
  } else {
    const Unpacked<Format> w0(b.row[0] + at), w1(b.row[1] + at), w2(b.row[2] + at),
        w3(b.row[3] + at);
    for (int p = 0; p < w0.parts; ++p) {
      totals.template add_part<0>(k, w0, p);
      totals.template add_part<1>(k, w1, p);
      totals.template add_part<2>(k, w2, p);
      totals.template add_part<3>(k, w3, p);
    }
  }
}

/// Products of R rows of a from m on with four rows of b; `ahead`: those after them will be next.
template <class Format, int R>
void dot_tile(const PackedArgs& job, const FourRows& b, int64_t m, int64_t e, bool ahead) {
  Totals<R> totals{job.a + m * job.a_row, job.a_row};
  int64_t at = 0, k = 0;
  for (; k + Format::numbers <= job.K; k += Format::numbers, at += Format::bytes) {
    for (int i = 0; ahead && i < 4; ++i) {
      for (int line = 0; line < Format::bytes; line += 64) {
        prefetch_weights(b.row[i] + at + 4 * job.b_row + line);
      }
    }
    add_blocks<Format>(b, at, k, totals);
  }
  if constexpr (is_plain<Format>) {
    if (k < job.K) {
      for (int r = 0; r < R; ++r) {
        const Vec value = load_some(totals.a + r * job.a_row + k, job.K - k);
        for (int i = 0; i < 4; ++i) {
          totals.total[r][i] += value * some<Format>(b.row[i] + at, job.K - k);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) put(job, m + r, e, totals.total[r]);
}

/// `rows` ≤ R rows of a.
template <class Format, int R>
[[gnu::always_inline]] inline void dot_some(const PackedArgs& job, const FourRows& b, int64_t m,
                                            int64_t e, int64_t rows) {
  if (rows == R) return dot_tile<Format, R>(job, b, m, e, m == 0);
  if constexpr (R > 1) dot_some<Format, R - 1>(job, b, m, e, rows);
}

template <class Format>
struct DotRows {
  static void run(const PackedArgs& job) {
    for (int64_t e = 0; e < job.E; e += 4) {
      const FourRows b(job, e);
      for (int64_t m = 0, rows = 0; m < job.M; m += rows) {
        rows = even_part(job.M - m, most_rows);
        dot_some<Format, most_rows>(job, b, m, e, rows);
      }
    }
  }
};

/// Four decoded rows of weights from column k on, zeros beyond the last.
struct Slab {
  alignas(64) float row[4][packed_slab];
  int64_t k, n;
};

/// Adds the share of a slab to the sums of R rows of a.
template <int R>
[[gnu::always_inline]] inline void add_slab(const PackedArgs& job, const Slab& slab, int64_t m,
                                            Vec (*sums_of)[4]) {
  const float* a = job.a + m * job.a_row + slab.k;
  Vec total[R][4];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int e = 0; e < 4; ++e) total[r][e] = sums_of[r][e];
  }
  int64_t i = 0;
  for (; i + lanes <= slab.n; i += lanes) {
    Vec weight[4];
#pragma GCC unroll 4
    for (int e = 0; e < 4; ++e) weight[e] = load(slab.row[e] + i);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Vec value = load(a + r * job.a_row + i);
#pragma GCC unroll 4
      for (int e = 0; e < 4; ++e) total[r][e] += value * weight[e];
    }
  }
  if (i < slab.n) {
    for (int r = 0; r < R; ++r) {
      const Vec value = load_some(a + r * job.a_row + i, slab.n - i);
      for (int e = 0; e < 4; ++e) total[r][e] += value * load(slab.row[e] + i);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int e = 0; e < 4; ++e) sums_of[r][e] = total[r][e];
  }
}

/// `rows` ≤ R rows of a.
template <int R>
[[gnu::always_inline]] inline void add_some(const PackedArgs& job, const Slab& slab, int64_t m,
                                            Vec (*sums_of)[4], int64_t rows) {
  if (rows == R) return add_slab<R>(job, slab, m, sums_of);
  if constexpr (R > 1) add_some<R - 1>(job, slab, m, sums_of, rows);
}

void by_slabs(const PackedArgs& job) {
  Slab slab;
  for (int64_t e = 0; e < job.E; e += 4) {
    const FourRows b(job, e);
    Vec total[row_block][4] = {};
    for (slab.k = 0; slab.k < job.K; slab.k += packed_slab) {
      slab.n = min(packed_slab, job.K - slab.k);
      for (int i = 0; i < 4; ++i) {
        decode_packed(job, b.row[i], slab.k, slab.n, slab.row[i]);
        for (int64_t k = slab.n; k % lanes != 0; ++k) slab.row[i][k] = 0;
      }
      for (int64_t m = 0, rows = 0; m < job.M; m += rows) {
        rows = even_part(job.M - m, most_rows);
        add_some<most_rows>(job, slab, m, total + m, rows);
      }
    }
    for (int64_t m = 0; m < job.M; ++m) put(job, m, e, total[m]);
  }
}

}  // namespace

void packed_few(const PackedArgs& all) {
  auto* kernel = kernel_of<DotRows>(all.format);
  const bool is_plain = all.format == PackedFormat::bf16 || all.format == PackedFormat::f16;
  for (int64_t m = 0; m < all.M; m += row_block) {
    PackedArgs part = all;
    part.a += m * all.a_row;
    part.c += m * all.c_row;
    part.M = min(row_block, all.M - m);
    // A number of a plain format costs little to decode again for the next rows.
    if (kernel && (part.M <= most_rows || is_plain)) {
      kernel(part);
    } else {
      by_slabs(part);
    }
  }
}

}  // namespace alambic::kernels::ALAMBIC_ISA
