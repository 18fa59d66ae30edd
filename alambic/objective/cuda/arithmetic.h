// The numbers of divergences/entry.h as single floats of a device's thread.
#pragma once

#include "alambic/kernels/cuda/simt.h"

namespace alambic::device {

struct Arithmetic {
  using Number = float;

  __host__ __device__ static float select(bool mask, float yes, float no) {
    return mask ? yes : no;
  }
  /// eˣ − 1 − x for |x| ≤ ½, as simd/math.h has it: the series to the 9th power.
  __host__ __device__ static float exp_remainder(float x) {
    float series = 1.0f / 9;
    for (int n = 8; n >= 3; --n) series = (series * x + 1.0f) / static_cast<float>(n);
    return (series * x + 1.0f) * 0.5f * x * x;
  }
  __host__ __device__ static float expm1(float x) { return expm1f(x); }
  __host__ __device__ static float log1p(float y) { return log1pf(y); }
};

}  // namespace alambic::device
