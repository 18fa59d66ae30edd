#include "alambic/tensor/cuda_library.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "alambic/tensor/loader_error.h"

namespace alambic {

// Its device files; a container without the NVIDIA runtime lacks them.
bool has_nvidia_driver() {
  return ::access("/dev/nvidiactl", F_OK) == 0 || ::access("/dev/nvidia0", F_OK) == 0;
}

std::string no_gpu_shown(const char* visible) {
  const std::string shown = "the driver shows no GPU that libtorch can use";
  if (visible == nullptr) {
    return shown + ": is it older than 580, which CUDA 13 needs, or a MIG slice that is not named?";
  }
  const std::string name = visible;
  return fmt::format(
      "{}: CUDA_VISIBLE_DEVICES is {}; expected numbers or UUIDs of `nvidia-smi -L` with commas "
      "between them (a MIG slice goes by its UUID), or no such variable",
      shown, name.empty() ? "empty, which hides all" : "'" + name + "'");
}

std::string load_cuda_library() {
  if (!has_nvidia_driver()) {
    return "there is no NVIDIA driver: neither /dev/nvidiactl nor /dev/nvidia0 is there";
  }
  void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) {
    return fmt::format("the driver's library cannot be loaded: {}", loader_error());
  }
  ::dlclose(driver);
  // cuBLAS reads it once: products whose sums have one order (docs/numerics.md).
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  // Called from this library so that its rpath finds the file and those beside it.
  if (::dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) != nullptr) return "";
  return fmt::format("libtorch's CUDA half cannot be loaded: {}", loader_error());
}

}  // namespace alambic
