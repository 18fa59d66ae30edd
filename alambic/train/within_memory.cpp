#include "alambic/train/within_memory.h"

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/units.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/tensor/device.h"

namespace alambic {

namespace {

// False: out of memory. The exception is gone by then, and with it what it kept alive.
bool succeeds(const std::function<void()>& attempt) {
  try {
    attempt();
    return true;
  } catch (const c10::OutOfMemoryError&) {
    return false;
  }
}

}  // namespace

void within_memory(Model& student, const NamedTensors& beside, const std::function<void()>& attempt,
                   const std::function<int64_t()>& halve) {
  const at::Device device = student.options().device();
  while (!succeeds(attempt)) {
    const auto drop = [](Tensor tensor) {
      if (tensor.requires_grad()) tensor.mutable_grad() = Tensor();
    };
    student.visit(of_dense([&](const std::string&, Tensor& tensor) { drop(tensor); }));
    for (const auto& [name, tensor] : beside) drop(tensor);
    release_cached_memory(device);
    const int64_t sequences = halve();
    if (sequences == 0) {
      throw environment_error(
          "the device has too little memory to learn from one sequence at a time: {} are free",
          human_bytes(free_device_memory(device)))
          .with_hint(
              "--activation-checkpointing, --lora-rank, shorter sequences or --dtype bfloat16 "
              "need less");
    }
    warn(
        "the device has too little memory: going on with --micro-batch-size {}, which gives the "
        "same sums",
        sequences);
  }
}

}  // namespace alambic
