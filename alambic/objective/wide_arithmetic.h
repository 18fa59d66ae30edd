// The numbers of divergences/entry.h as vectors of floats.
#pragma once

#include "alambic/objective/wide.h"

namespace alambic::wide {

template <int bytes>
struct Arithmetic {
  using Number = typename Types<bytes>::Float;

  template <class Mask>
  [[gnu::always_inline]] static Number select(Mask mask, Number yes, Number no) {
    return mask ? yes : no;
  }
  [[gnu::always_inline]] static Number exp_remainder(Number x) { return wide::exp_remainder(x); }
  /// For x ≤ 0.
  [[gnu::always_inline]] static Number expm1(Number x) {
    return x > -0.5f ? x + wide::exp_remainder(x) : wide::exp<bytes>(x) - 1.0f;
  }
  [[gnu::always_inline]] static Number log1p(Number y) { return wide::log1p<bytes>(y); }
};

}  // namespace alambic::wide
