// The device that these tests compare with the CPU: the simulated one, or with
// ALAMBIC_TEST_DEVICE=cuda a real GPU (tools/gpu-check).
#pragma once

#include <string>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Makes it ready; before the first tensor.
void open_test_device();

bool is_simulated();
at::Device test_device();
/// As `--device` calls it.
std::string test_device_name();

}  // namespace alambic
