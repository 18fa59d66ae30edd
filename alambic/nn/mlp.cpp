#include "alambic/nn/mlp.h"

#include <fmt/format.h>

#include "alambic/base/error.h"
#include "alambic/dist/world.h"
#include "alambic/nn/joint_linear.h"

namespace alambic {

std::string FeedForward::undivided(int64_t) const {
  return "its MLPs have no columns that ranks could divide";
}

std::unique_ptr<FeedForward> FeedForward::part(const World&) const {
  throw bug("a part of a block that is not divided");
}

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

std::string DenseMlp::undivided(int64_t ranks) const {
  if (shape.inner >= ranks) return "";
  return fmt::format("its MLPs have {} inner columns", shape.inner);
}

DenseMlp DenseMlp::columns(const World& group) const {
  const Slice own{group.begin(shape.inner), group.end(shape.inner) - group.begin(shape.inner)};
  MlpShape narrow = shape;
  narrow.inner = own.count;
  DenseMlp part(narrow);
  if (shape.fused) {
    part.gate_up_proj = gate_up_proj.with_outputs({own, {shape.inner + own.begin, own.count}});
  } else {
    part.gate_proj = gate_proj.with_outputs({own});
    part.up_proj = up_proj.with_outputs({own});
  }
  part.down_proj = down_proj.with_inputs({own});
  return part;
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
