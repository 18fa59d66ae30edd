// The numbers of divergences/entry.h as tensors: float64, and every device.
#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic {

struct TensorArithmetic {
  using Number = Tensor;

  static Tensor select(const Tensor& mask, const Tensor& yes, const Tensor& no) {
    return at::where(mask, yes, no);
  }
  /// eˣ − 1 − x for |x| ≤ ½: the series to the 14th power, below 1e-16 relative.
  static Tensor exp_remainder(const Tensor& x) {
    const Tensor small = x.clamp(-0.5, 0.5);
    Tensor series = at::full_like(x, 1.0 / 14);
    for (int n = 13; n >= 3; --n) series = series.mul_(small).add_(1).div_(n);
    return series.mul_(small).add_(1).div_(2).mul_(small).mul_(small);
  }
  static Tensor expm1(const Tensor& x) { return at::expm1(x); }
  static Tensor log1p(const Tensor& y) { return at::log1p(y); }
};

}  // namespace alambic
