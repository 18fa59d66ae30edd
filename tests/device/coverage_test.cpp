// What runs on a device must have a kernel on a GPU.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "tests/device/operator_list.h"
#include "tests/program/program.h"

namespace alambic::coverage_test {
namespace {

// Prevents an operator that only a CPU has (several of libtorch are): every test of the simulated
// device passes with it, and the first GPU stops there.
TEST(Operators, HaveACudaKernel) {
  ASSERT_GT(listed_operators().size(), 50u);
  const Outcome found =
      shell(fmt::format("{}/tests/device_test --cuda-kernels", ALAMBIC_BINARY_DIR));
  if (found.code == 2) GTEST_SKIP() << "libtorch's CUDA half cannot be loaded: " << found.text;
  EXPECT_EQ(found.code, 0) << "without a CUDA kernel:\n" << found.text;
}

}  // namespace
}  // namespace alambic::coverage_test
