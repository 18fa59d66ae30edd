// The CUDA half of libtorch, which is loaded where there is an NVIDIA driver and never linked: it
// needs gigabytes of libraries that a CPU has no use for.
#pragma once

#include <string>

namespace alambic {

/// Loads libtorch_cuda.so, once, and says why CUDA cannot be used as far as files tell: no driver,
/// or what the loader said of it or of the library. Empty: it is loaded. Without a driver nothing
/// is loaded. libtorch asks for its CUDA half at its first call, so this comes before.
std::string load_cuda_library();

/// Why a driver that is loaded shows no GPU. `visible`: CUDA_VISIBLE_DEVICES, null where it is
/// unset.
std::string no_gpu_shown(const char* visible);

/// Whether the kernel module of NVIDIA's driver is there.
bool has_nvidia_driver();

}  // namespace alambic
