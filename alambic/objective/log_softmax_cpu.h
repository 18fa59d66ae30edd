// First step of every row kernel: the largest logit and the logarithm of the softmax's sum.
#pragma once

#include <cmath>

#include "alambic/kernels/simd/math.h"
#include "alambic/objective/row_padding.h"

namespace alambic::ALAMBIC_ISA {

using namespace simd::ALAMBIC_ISA;  // NOLINT(google-build-using-namespace): one vocabulary

/// Vectors between two additions into double: 64 · lanes numbers.
inline constexpr int64_t kBlock = 64;

[[gnu::always_inline]] inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

struct Softmax {
  float top;       ///< largest logit
  int64_t argmax;  ///< its first position
  double log_sum;  ///< log Σ exp((z − top) / T)
};

/// Fills row[vocabulary..padded_row) so that the padding has probability 0, and no inf − inf.
[[gnu::always_inline]] inline void pad(float* row, int64_t vocabulary) {
  for (int64_t i = vocabulary; i < padded_row(vocabulary); ++i) row[i] = -1e30f;
}

/// Softmax of a padded row. A NaN anywhere makes log_sum NaN.
[[gnu::always_inline]] inline Softmax softmax(const float* row, int64_t vocabulary,
                                              float inverse_temperature) {
  const int64_t vectors = padded_row(vocabulary) / lanes;

  Vec top = load(row);
  IntVec at = {};
  for (int64_t i = 1; i < vectors; ++i) {
    const Vec z = load(row + i * lanes);
    const auto greater = z > top;
    top = greater ? z : top;
    at = greater ? IntVec{} + static_cast<int32_t>(i) : at;
  }
  Softmax result{top[0], at[0] * lanes, 0};
  for (int64_t lane = 1; lane < lanes; ++lane) {
    const int64_t position = at[lane] * lanes + lane;
    if (top[lane] > result.top || (top[lane] == result.top && position < result.argmax)) {
      result.top = top[lane];
      result.argmax = position;
    }
  }
  double total = 0;
  for (int64_t i = 0; i < vectors;) {
    Vec part = {};
    for (const int64_t end = min(i + kBlock, vectors); i < end; ++i) {
      part += exp_nonpositive((load(row + i * lanes) - result.top) * inverse_temperature);
    }
    total += sum_in_double(part);
  }
  result.log_sum = std::log(total);
  return result;
}

}  // namespace alambic::ALAMBIC_ISA
