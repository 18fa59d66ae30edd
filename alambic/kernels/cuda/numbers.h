// bfloat16 by its bits, and what both types of numbers share.
#pragma once

#include "alambic/io/quant/half.h"
#include "alambic/kernels/cuda/simt.h"
#include "alambic/kernels/device_table.h"

namespace alambic::kernels::device {

struct Bf16 {
  uint16_t bits;
};

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(Bf16 x) { return bfloat_to_float(x.bits); }

template <class T>
__device__ __forceinline__ T narrow(float x);
template <>
__device__ __forceinline__ float narrow<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ Bf16 narrow<Bf16>(float x) {
  return {float_to_bfloat(x)};
}

/// f(T{}) for the type of the numbers.
template <class F>
void with_type(DeviceNumber type, const F& f) {
  if (type == DeviceNumber::f32) {
    f(float{});
  } else {
    f(Bf16{});
  }
}

/// Blocks of `size` threads for n items.
inline unsigned blocks_for(int64_t n, int64_t size) {
  return static_cast<unsigned>((n + size - 1) / size);
}

/// Threads of a block for a row of n numbers: whole warps, no more than it has work for.
inline unsigned threads_for(int64_t n, unsigned most) {
  const int64_t whole = (n + simt::warp_size - 1) / simt::warp_size * simt::warp_size;
  return static_cast<unsigned>(whole < 1 ? simt::warp_size : whole > most ? most : whole);
}

/// This thread among all of a one-dimensional grid.
__device__ __forceinline__ int64_t global_thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

}  // namespace alambic::kernels::device
