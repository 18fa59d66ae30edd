#pragma once

#include "alambic/tensor/machine_options.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// Asking for an absent GPU is an environment error.
at::Device choose_device(DeviceChoice choice);

/// automatic: float32 on a CPU (bfloat16 arithmetic is several times slower there), bfloat16 on a
/// GPU.
at::ScalarType choose_dtype(DtypeChoice choice, at::Device device);

/// Threads of every CPU kernel; 0: default_threads().
void set_threads(int64_t threads);

}  // namespace alambic
