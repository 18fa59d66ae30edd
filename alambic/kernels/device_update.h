// The optimizer's kernels on an accelerator that has them (kernels/device.h): many tensors to a
// launch; nothing waits for the device.
#pragma once

#include "alambic/kernels/device.h"

namespace alambic::kernels::on_device {

/// A step of AdamW.
struct AdamWStep {
  double learning_rate, beta1, beta2, epsilon;
  int64_t step;       ///< from 1
  double factor = 1;  ///< of the gradients
};
/// A tensor of it; contiguous, all float32 but gradient and weight.
struct AdamWTensor {
  Tensor master, mean, square;
  Tensor gradient;  ///< undefined: zeros
  Tensor weight;    ///< is rounded from the master; undefined: the master is it
  double weight_decay = 0;
};
void adamw(const AdamWStep& step, const std::vector<AdamWTensor>& tensors);
/// Whether it can be asked for this tensor.
bool takes_adamw(const AdamWTensor& tensor);

struct ClippedNorm {
  Tensor norm;   ///< float64, one number: of all gradients together
  Tensor scale;  ///< float32, one number: what brings it down to `most`; 0 where it is not finite
};
/// `most` 0: no limit. All on one device; nothing is read.
ClippedNorm clipped_norm(const std::vector<Tensor>& gradients, double most);

}  // namespace alambic::kernels::on_device
