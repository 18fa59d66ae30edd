// Sums and maxima over the threads of a block: by shuffles in a warp, then over the warps, in an
// order that depends on the block's size only.
#pragma once

#include <cstring>
#include <type_traits>

#include "alambic/kernels/cuda/simt.h"

namespace alambic::kernels::device {

inline constexpr unsigned every_lane = 0xffffffffu;

struct Add {
  template <class T>
  __device__ static T join(T a, T b) {
    return a + b;
  }
};

struct Larger {
  template <class T>
  __device__ static T join(T a, T b) {
    return a > b ? a : b;
  }
};

/// What the lane `step` away has; a pair of eight bytes goes as one number.
template <class T>
__device__ T from_neighbor(T x, int step) {
  if constexpr (std::is_arithmetic_v<T>) {
    return __shfl_xor_sync(every_lane, x, step);
  } else {
    static_assert(sizeof(T) == sizeof(unsigned long long));
    unsigned long long bits;
    memcpy(&bits, &x, sizeof x);
    bits = __shfl_xor_sync(every_lane, bits, step);
    memcpy(&x, &bits, sizeof x);
    return x;
  }
}

/// Of the warp's x, at all its lanes.
template <class Op, class T>
__device__ T over_warp(T x) {
  for (int step = 16; step > 0; step /= 2) x = Op::join(x, from_neighbor(x, step));
  return x;
}

/// Of all threads' x, at all threads; `none` changes nothing when joined.
template <class Op, class T>
__device__ T over_block(T x, T none) {
  SIMT_SHARED(T, of_warp, 32);
  const unsigned warp = threadIdx.x / simt::warp_size, lane = threadIdx.x % simt::warp_size;
  x = over_warp<Op>(x);
  __syncthreads();  // of_warp may still be read
  if (lane == 0) of_warp[warp] = x;
  __syncthreads();
  return over_warp<Op>(lane < blockDim.x / simt::warp_size ? of_warp[lane] : none);
}

template <class T>
__device__ T block_sum(T x) {
  return over_block<Add>(x, T{0});
}

}  // namespace alambic::kernels::device
