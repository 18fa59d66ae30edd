#include "alambic/nn/norm.h"

#include "alambic/kernels/norm.h"

namespace alambic {

Tensor RmsNorm::operator()(const Tensor& x_ND) const {
  if (!plus_one) return kernels::rms_norm(x_ND, weight, epsilon);
  const bool narrow = at::elementSize(weight.scalar_type()) < 4;  // bfloat16 has no 1.001
  return kernels::rms_norm(x_ND, (narrow ? weight.to(at::kFloat) : weight) + 1, epsilon);
}

void RmsNorm::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + ".weight", weight);
}

Tensor LayerNorm::operator()(const Tensor& x_ND) const {
  return kernels::layer_norm(x_ND, weight, bias, epsilon);
}

void LayerNorm::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + ".weight", weight);
  visitor(prefix + ".bias", bias);
}

}  // namespace alambic
