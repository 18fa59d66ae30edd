#include "alambic/nn/norm.h"

#include "alambic/kernels/norm.h"

namespace alambic {

Tensor RmsNorm::operator()(const Tensor& x_ND) const {
  return kernels::rms_norm(x_ND, weight, epsilon);
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
