// The numbers of divergences/entry.h as vectors of floats.
#pragma once

#include "alambic/kernels/simd/math.h"

namespace alambic::ALAMBIC_ISA {

struct Arithmetic {
  using Number = simd::ALAMBIC_ISA::Vec;

  template <class Mask>
  [[gnu::always_inline]] static Number select(Mask mask, Number yes, Number no) {
    return mask ? yes : no;
  }
  [[gnu::always_inline]] static Number exp_remainder(Number x) {
    return simd::ALAMBIC_ISA::exp_remainder(x);
  }
  /// exp(x) − 1 for x ≤ 0.
  [[gnu::always_inline]] static Number expm1(Number x) {
    return simd::ALAMBIC_ISA::expm1_nonpositive(x);
  }
  [[gnu::always_inline]] static Number log1p(Number y) { return simd::ALAMBIC_ISA::log1p(y); }
};

}  // namespace alambic::ALAMBIC_ISA
