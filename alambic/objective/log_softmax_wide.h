// What every row kernel does first: the largest logit and the logarithm of the softmax's sum.
#pragma once

#include <cmath>

#include "alambic/objective/wide.h"

namespace alambic::wide {

/// Vectors between two additions into double: 64 · lanes numbers.
inline constexpr int64_t kBlock = 64;

[[gnu::always_inline]] inline int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

struct Softmax {
  float top;       ///< largest logit
  int64_t argmax;  ///< its first position
  double log_sum;  ///< log Σ exp((z − top) / T)
};

[[gnu::always_inline]] inline int64_t padded(int64_t vocabulary) {
  return (vocabulary + kPadding - 1) / kPadding * kPadding;
}

/// Fills row[vocabulary..padded) so that the padding has probability 0, and no inf − inf.
[[gnu::always_inline]] inline void pad(float* row, int64_t vocabulary) {
  for (int64_t i = vocabulary; i < padded(vocabulary); ++i) row[i] = -1e30f;
}

/// Of a padded row. A NaN anywhere makes log_sum NaN.
template <int bytes>
[[gnu::always_inline]] inline Softmax softmax(const float* row, int64_t vocabulary,
                                              float inverse_temperature) {
  using Float = typename Types<bytes>::Float;
  using Int = typename Types<bytes>::Int;
  constexpr int64_t lanes = Types<bytes>::lanes;
  const int64_t vectors = padded(vocabulary) / lanes;
  const auto* z = reinterpret_cast<const Float*>(row);

  Float top = z[0];
  Int at = {};
  for (int64_t i = 1; i < vectors; ++i) {
    const auto greater = z[i] > top;
    top = greater ? z[i] : top;
    at = greater ? Int{} + static_cast<int32_t>(i) : at;
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
    Float part = {};
    for (const int64_t end = min(i + kBlock, vectors); i < end; ++i) {
      part += exp<bytes>((z[i] - result.top) * inverse_temperature);
    }
    total += sum(part);
  }
  result.log_sum = std::log(total);
  return result;
}

}  // namespace alambic::wide
