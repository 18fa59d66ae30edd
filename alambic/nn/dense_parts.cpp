#include "alambic/nn/dense_parts.h"

namespace alambic {

TensorVisitor of_dense(const TensorVisitor::OnTensor& on_tensor) {
  return {on_tensor, [on_tensor](const std::string& name, Weight& weight) {
            if (!weight.is_packed()) on_tensor(name, weight.dense());
          }};
}

Tensor decoded_OI(const Linear& linear) {
  const Tensor weight = linear.weight.decoded();
  return linear.layout == WeightLayout::output_major ? weight : weight.t();
}

Tensor merged_weight(const Linear& linear) {
  const at::NoGradGuard no_grad;
  const Tensor merged_OI = linear.lora->merged(decoded_OI(linear));
  return linear.layout == WeightLayout::output_major ? merged_OI : merged_OI.t();
}

}  // namespace alambic
