#include "alambic/kernels/linear.h"

namespace alambic::kernels {

Tensor linear(const Tensor& x_ND, const Tensor& weight_ED, const Tensor& bias_E) {
  return bias_E.defined() ? at::linear(x_ND, weight_ED, bias_E) : at::linear(x_ND, weight_ED);
}

Tensor linear_input_major(const Tensor& x_ND, const Tensor& weight_DE, const Tensor& bias_E) {
  return bias_E.defined() ? at::addmm(bias_E, x_ND, weight_DE) : at::mm(x_ND, weight_DE);
}

}  // namespace alambic::kernels
