// Tests on the simulated device, or on the one that ALAMBIC_TEST_DEVICE names. Other uses:
// `device_test --cuda-kernels` says which operators of operators.txt have no CUDA kernel, which
// needs a process without another device; `device_test --speed SHAPE` prints times.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cstring>

#include "alambic/base/error.h"
#include "tests/device/operator_list.h"
#include "tests/device/speed.h"
#include "tests/device/test_device.h"
#include "tests/run.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--cuda-kernels") == 0) {
    return alambic::print_missing_cuda_kernels();
  }
  testing::InitGoogleTest(&argc, argv);
  try {
    alambic::open_test_device();
  } catch (const alambic::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.exit());
  }
  if (argc > 2 && std::strcmp(argv[1], "--speed") == 0) return alambic::print_speed(argv[2]);
  testing::AddGlobalTestEnvironment(alambic::operator_list_check());
  return alambic::run_tests();
}
