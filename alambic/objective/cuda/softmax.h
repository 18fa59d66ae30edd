// First step of every row kernel on a device: the largest logit and the logarithm of the sum.
#pragma once

#include "alambic/kernels/cuda/reduce.h"

namespace alambic::device {

using namespace kernels::device;  // NOLINT(google-build-using-namespace): one vocabulary

inline constexpr unsigned row_threads = 512;
/// Terms of a float32 sum before it goes on in double.
inline constexpr int run_length = 64;

struct Softmax {
  float top;       ///< largest logit
  int64_t argmax;  ///< its first position
  double log_sum;  ///< log Σ exp((z − top) / T); NaN where a logit is not a number
};

struct Place {
  float value;
  int32_t at;
};

struct FirstLargest {
  __device__ static Place join(Place a, Place b) {
    return b.value > a.value || (b.value == a.value && b.at < a.at) ? b : a;
  }
};

/// Of a row, at all threads of the block, in one visit: a thread's sum is scaled down when its
/// largest logit grows.
__device__ inline Softmax softmax(const float* row, int64_t vocabulary, float inverse_temperature) {
  constexpr Place none = {-INFINITY, INT32_MAX};
  Place best = none;
  double sum = 0;
  for (int64_t v = threadIdx.x; v < vocabulary; v += blockDim.x) {
    const float z = row[v];
    if (z > best.value) {
      sum = sum * expf((best.value - z) * inverse_temperature) + 1;
      best = {z, static_cast<int32_t>(v)};
    } else {
      sum += expf((z - best.value) * inverse_temperature);
    }
  }
  const Place top = over_block<FirstLargest>(best, none);
  if (best.at != none.at)
    sum *= exp(static_cast<double>(best.value - top.value) * inverse_temperature);
  return {top.value, top.at, log(block_sum(sum))};
}

}  // namespace alambic::device
