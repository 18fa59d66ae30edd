// The device that these tests compare with the CPU: the simulated one, or with
// ALAMBIC_TEST_DEVICE=cuda a real GPU (tools/gpu-check).
#pragma once

#include <string>

#include "alambic/kernels/device_graph.h"

namespace alambic {

/// Makes it ready; before the first tensor.
void open_test_device();

bool is_simulated();
at::Device test_device();
/// As `--device` calls it.
std::string test_device_name();

/// While one lives, the device records no graphs.
class WithoutGraphs {
 public:
  WithoutGraphs() : before_(kernels::device_graphs(test_device().type())) {
    kernels::use_device_graphs(test_device().type(), {});
  }
  ~WithoutGraphs() { kernels::use_device_graphs(test_device().type(), before_); }
  WithoutGraphs(const WithoutGraphs&) = delete;
  WithoutGraphs& operator=(const WithoutGraphs&) = delete;

 private:
  const kernels::GraphFunctions before_;
};

}  // namespace alambic
