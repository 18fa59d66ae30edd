// The simulated device's own kernels: those of a GPU, built by g++ (docs/kernels.md).
#pragma once

#include "tests/device/test_device.h"

namespace alambic::simulated {

/// Whether this program has them; with sanitizers it has not.
bool has_kernels();

/// From now on the device has them: what kernels/device.h calls for a GPU runs on its memory.
void use_kernels();

/// While one lives, it has none, and libtorch's operators do the work.
class WithoutKernels {
 public:
  WithoutKernels();
  ~WithoutKernels();
  WithoutKernels(const WithoutKernels&) = delete;
  WithoutKernels& operator=(const WithoutKernels&) = delete;
};

/// Calls `run(name)` on the test device, and once more without kernels where it has them.
template <class F>
void with_and_without_kernels(const F& run) {
  run("by kernels");
  if (!has_kernels() || !is_simulated()) return;
  const WithoutKernels by_operators;
  run("by operators");
}

}  // namespace alambic::simulated
