#pragma once

#include <string>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// "cpu", "cuda" or "auto" (a GPU when one can be used). Asking for an absent GPU is an
/// environment error.
at::Device choose_device(const std::string& name);

/// "float32", "bfloat16" or "auto": float32 on a CPU (bfloat16 arithmetic is several times slower
/// there), bfloat16 on a GPU.
at::ScalarType choose_dtype(const std::string& name, at::Device device);

/// Threads of every CPU kernel; 0: all cores.
void set_threads(int64_t threads);

}  // namespace alambic
