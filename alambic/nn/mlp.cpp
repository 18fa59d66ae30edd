#include "alambic/nn/mlp.h"

#include "alambic/nn/joint_linear.h"

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

Tensor DenseMlp::operator()(const Tensor& x_ND) const {
  std::vector<Tensor> both;  // gate, up
  if (shape.fused) {
    both = gate_up_proj(x_ND).chunk(2, -1);
  } else {
    both = joint_linear(x_ND, {&gate_proj, &up_proj});
  }
  if (shape.limit > 0) {
    both = {both[0].clamp_max(shape.limit), both[1].clamp(-shape.limit, shape.limit)};
  }
  return down_proj(kernels::gated(shape.gate, both[0], both[1]));
}

void DenseMlp::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visit_as(prefix + "mlp.", {}, visitor);
}

void DenseMlp::visit_as(const std::string& block, const MlpNames& names,
                        const TensorVisitor& visitor) {
  if (shape.fused) {
    gate_up_proj.visit(block + "gate_up_proj", visitor);
  } else {
    gate_proj.visit(block + names.gate, visitor);
    up_proj.visit(block + names.up, visitor);
  }
  down_proj.visit(block + names.down, visitor);
  // The bounded gate and up.
  visitor.activations([&](double) { return shape.limit > 0 ? 2 * shape.inner : 0; });
}

}  // namespace alambic
