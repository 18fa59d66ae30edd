#include "alambic/nn/linear.h"

#include "alambic/base/error.h"
#include "alambic/kernels/linear.h"
#include "alambic/kernels/weight_linear.h"
#include "alambic/nn/dense_parts.h"

namespace alambic {

Linear::Linear(int64_t in, int64_t out, bool with_bias, WeightLayout layout) : layout(layout) {
  weight = layout == WeightLayout::output_major ? placeholder({out, in}) : placeholder({in, out});
  if (with_bias) bias = placeholder({out});
}

Tensor Linear::operator()(const Tensor& x_ND) const {
  const auto map = [this](const Tensor& x, const Tensor& added) {
    return layout == WeightLayout::output_major
               ? kernels::linear(x, weight, added)
               : kernels::linear_input_major(x, weight.dense(), added);
  };
  if (!lora) return map(x_ND, bias);
  const Tensor dropped_ND = lora->drop(x_ND);
  const Tensor update_NE = lora->update(dropped_ND);
  if (!lora->magnitude_E.defined()) return map(x_ND, bias) + update_NE;
  // DoRA: (magnitude / norm) · (W + scaling · B A) x + bias, where dropout, as in PEFT, spares
  // one W x.
  const Tensor base_NE = map(dropped_ND, Tensor());
  const Tensor scale_E = lora->magnitude_E / lora->norm_E(as_rows(*this));
  Tensor y_NE = scale_E * (base_NE + update_NE);
  if (!dropped_ND.is_same(x_ND)) y_NE = y_NE + map(x_ND, Tensor()) - base_NE;
  return bias.defined() ? y_NE + bias : y_NE;
}

void Linear::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor.linear(prefix, *this);
  visitor.activations([&](double) { return in() + out(); });
  if (layout == WeightLayout::output_major) {
    visitor(prefix + ".weight", weight);
  } else {
    visitor(prefix + ".weight", weight.dense());  // no file has it packed in this order
  }
  if (bias.defined()) visitor(prefix + ".bias", bias);
  if (lora) lora->visit(prefix, visitor);
}

Linear Linear::with_outputs(const Slices& outputs) const {
  check(layout == WeightLayout::output_major, "outputs of a map are rows of its weight");
  Linear part;
  part.weight = copy_of(weight.decoded(), 0, outputs);
  part.bias = copy_if_defined(bias, 0, outputs);
  if (lora) part.lora = lora->with_outputs(outputs);
  return part;
}

Linear Linear::with_inputs(const Slices& inputs) const {
  check(layout == WeightLayout::output_major, "inputs of a map are columns of its weight");
  const Tensor weight_EI = weight.decoded();
  Linear part;
  part.weight = copy_of(weight_EI, 1, inputs);
  if (bias.defined() && inputs.front().begin == 0) part.bias = bias.detach().clone();
  if (lora) part.lora = lora->with_inputs(inputs, weight_EI);
  return part;
}

void Linear::merge_lora() {
  const at::NoGradGuard no_grad;
  if (weight.is_packed()) {
    weight = merged_weight(*this).to(weight.scalar_type());
  } else {
    weight.dense().copy_(merged_weight(*this));
  }
  lora.reset();
}

}  // namespace alambic
