#include "alambic/tensor/device.h"

#include <ATen/Parallel.h>

#include "alambic/base/cpu_threads.h"
#include "alambic/base/error.h"

namespace alambic {

at::Device choose_device(DeviceChoice choice) {
  const bool gpu = at::hasCUDA();
  if (choice == DeviceChoice::cuda && !gpu) {
    throw environment_error("cannot use --device cuda: no NVIDIA GPU can be used on this machine")
        .with_hint("`alambic info` says what was found; --device cpu works everywhere");
  }
  return gpu && choice != DeviceChoice::cpu ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
}

at::ScalarType choose_dtype(DtypeChoice choice, at::Device device) {
  if (choice == DtypeChoice::float32) return at::kFloat;
  if (choice == DtypeChoice::bfloat16) return at::kBFloat16;
  return device.is_cuda() ? at::kBFloat16 : at::kFloat;
}

void set_threads(int64_t threads) {
  at::set_num_threads(static_cast<int>(threads > 0 ? threads : default_threads()));
}

}  // namespace alambic
