#include "alambic/nn/dense_parts.h"

namespace alambic {

TensorVisitor of_dense(const TensorVisitor::OnTensor& on_tensor) {
  return {on_tensor, [on_tensor](const std::string& name, Weight& weight) {
            if (!weight.is_packed()) on_tensor(name, weight.dense());
          }};
}

Weight as_rows(const Linear& linear) {
  return linear.weight.is_packed() ? linear.weight : Weight(linear.weight_OI());
}

Tensor merged_weight(const Linear& linear) {
  const at::NoGradGuard no_grad;
  const Tensor decoded = linear.weight.decoded();
  const bool output_major = linear.layout == WeightLayout::output_major;
  const Tensor merged_OI = linear.lora->merged(output_major ? decoded : decoded.t());
  return output_major ? merged_OI : merged_OI.t();
}

}  // namespace alambic
