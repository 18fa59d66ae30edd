#include "tests/device/test_device.h"

#include <cstdlib>

#include "alambic/base/error.h"
#include "alambic/kernels/device.h"
#include "alambic/kernels/device_graph.h"
#include "alambic/tensor/cuda_library.h"
#include "alambic/tensor/device.h"
#include "tests/device/simulated_device.h"

namespace alambic {

bool is_simulated() { return std::getenv("ALAMBIC_TEST_DEVICE") == nullptr; }

std::string test_device_name() {
  return is_simulated() ? "simulated" : std::getenv("ALAMBIC_TEST_DEVICE");
}

void open_test_device() {
  if (is_simulated()) return simulated::install();
  const std::string problem = load_cuda_library();
  if (!problem.empty()) throw environment_error("no {}: {}", test_device_name(), problem);
  kernels::open_device_kernels(test_device());
  kernels::open_device_graphs(test_device());
}

at::Device test_device() { return choose_device(test_device_name()); }

}  // namespace alambic
