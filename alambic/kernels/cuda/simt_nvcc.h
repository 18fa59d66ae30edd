// simt.h for nvcc: names for what the language lacks or g++ cannot read.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>

/// `count` numbers that a block's threads share.
#define SIMT_SHARED(type, name, count) __shared__ type name[count]
/// Those whose count is launch()'s.
#define SIMT_DYNAMIC_SHARED(type, name)                        \
  extern __shared__ __align__(16) unsigned char simt_shared[]; \
  type* const name = reinterpret_cast<type*>(simt_shared)

namespace simt {

inline constexpr unsigned warp_size = 32;
inline constexpr const char* name = "cuda";

/// DeviceTable::fault, by whether the device has an image of `kernel`.
template <void (*kernel)()>
const char* fault(int device) {
  int before = 0;
  cudaError_t result = cudaGetDevice(&before);
  if (result == cudaSuccess) result = cudaSetDevice(device);
  cudaFuncAttributes found;
  if (result == cudaSuccess) {
    result = cudaFuncGetAttributes(&found, reinterpret_cast<const void*>(kernel));
  }
  cudaSetDevice(before);
  cudaGetLastError();  // told here, not by the next call
  return result == cudaSuccess ? nullptr : cudaGetErrorString(result);
}

/// Starts `kernel` on the stream (a cudaStream_t; null: the default one). std::runtime_error says
/// why the device refuses it.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, void* stream,
            const Arguments&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  std::tuple<Parameters...> values(arguments...);
  const cudaError_t result = std::apply(
      [&](auto&... value) {
        void* pointers[] = {&value...};
        return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, pointers,
                                shared_bytes, static_cast<cudaStream_t>(stream));
      },
      values);
  if (result != cudaSuccess) {
    throw std::runtime_error(std::string("a CUDA kernel could not be started: ") +
                             cudaGetErrorString(result));
  }
}

}  // namespace simt
