#include "alambic/kernels/norm.h"

namespace alambic::kernels {

Tensor rms_norm(const Tensor& x_ND, const Tensor& weight_D, double epsilon) {
  const auto wide = x_ND.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor x = x_ND.to(wide);
  const Tensor scale = (x.square().mean(-1, true) + epsilon).rsqrt();
  return weight_D * (x * scale).to(x_ND.scalar_type());
}

Tensor layer_norm(const Tensor& x_ND, const Tensor& weight_D, const Tensor& bias_D,
                  double epsilon) {
  return at::layer_norm(x_ND, weight_D.sizes(), weight_D, bias_D, epsilon);
}

}  // namespace alambic::kernels
