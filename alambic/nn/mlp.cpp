#include "alambic/nn/mlp.h"

namespace alambic {

DenseMlp::DenseMlp(const MlpShape& shape) : shape(shape) {
  if (shape.fused) {
    gate_up_proj = {shape.width, 2 * shape.inner, shape.bias};
  } else {
    gate_proj = {shape.width, shape.inner, shape.bias};
    up_proj = {shape.width, shape.inner, shape.bias};
  }
  down_proj = {shape.inner, shape.width, shape.bias};
}

Tensor DenseMlp::forward(const Tensor& x_ND) const {
  std::vector<Tensor> both;  // gate, up
  if (shape.fused) {
    both = gate_up_proj(x_ND).chunk(2, -1);
  } else {
    both = {gate_proj(x_ND), up_proj(x_ND)};
  }
  if (shape.limit > 0) {
    both = {both[0].clamp_max(shape.limit), both[1].clamp(-shape.limit, shape.limit)};
  }
  return down_proj(kernels::gated(shape.gate, both[0], both[1]));
}

// The bounded gate and up.
double DenseMlp::other_activations() const {
  return shape.limit > 0 ? 2 * static_cast<double>(shape.inner) : 0;
}

void DenseMlp::visit(const std::string& prefix, const TensorVisitor& visitor) {
  if (shape.fused) {
    gate_up_proj.visit(prefix + "mlp.gate_up_proj", visitor);
  } else {
    gate_proj.visit(prefix + "mlp.gate_proj", visitor);
    up_proj.visit(prefix + "mlp.up_proj", visitor);
  }
  down_proj.visit(prefix + "mlp.down_proj", visitor);
}

}  // namespace alambic
