#include "alambic/nn/norm.h"

#include "alambic/kernels/device_norm.h"
#include "alambic/kernels/norm.h"

namespace alambic {

Tensor RmsNorm::operator()(const Tensor& x_ND) const {
  if (!plus_one && !wide) return kernels::rms_norm(x_ND, weight, epsilon);
  if (!x_ND.is_cpu() && kernels::on_device::takes_norm(x_ND, weight)) {
    return kernels::on_device::rms_norm(x_ND, weight,
                                        {.epsilon = epsilon, .plus_one = plus_one, .wide = wide});
  }
  const bool narrow = at::elementSize(weight.scalar_type()) < 4;  // bfloat16 has no 1.001
  const Tensor scale = narrow ? weight.to(at::kFloat) : weight;
  return kernels::rms_norm(x_ND, plus_one ? scale + 1 : scale, epsilon);
}

void RmsNorm::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + ".weight", weight);
}

Tensor plain_rms_norm(const Tensor& x_ND, double epsilon) {
  return kernels::rms_norm(x_ND, at::ones({x_ND.size(-1)}, x_ND.options()), epsilon);
}

Tensor LayerNorm::operator()(const Tensor& x_ND) const {
  return kernels::layer_norm(x_ND, weight, bias, epsilon);
}

void LayerNorm::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + ".weight", weight);
  visitor(prefix + ".bias", bias);
}

}  // namespace alambic
