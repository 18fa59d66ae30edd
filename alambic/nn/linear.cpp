#include "alambic/nn/linear.h"

#include "alambic/kernels/linear.h"

namespace alambic {

Linear::Linear(int64_t in, int64_t out, bool with_bias, WeightLayout layout) : layout(layout) {
  weight = layout == WeightLayout::output_major ? placeholder({out, in}) : placeholder({in, out});
  if (with_bias) bias = placeholder({out});
}

Tensor Linear::operator()(const Tensor& x_ND) const {
  return layout == WeightLayout::output_major ? kernels::linear(x_ND, weight, bias)
                                              : kernels::linear_input_major(x_ND, weight, bias);
}

void Linear::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + ".weight", weight);
  if (bias.defined()) visitor(prefix + ".bias", bias);
}

}  // namespace alambic
