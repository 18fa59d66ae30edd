#include "alambic/kernels/weight_linear.h"

#include "alambic/kernels/linear.h"
#include "alambic/kernels/packed_linear.h"

namespace alambic::kernels {

Tensor linear(const Tensor& x_ND, const Weight& weight_ED, const Tensor& bias_E) {
  return weight_ED.is_packed() ? packed_linear(x_ND, weight_ED.packed(), bias_E)
                               : linear(x_ND, weight_ED.dense(), bias_E);
}

void write_linear(const Tensor& y_NE, const Tensor& x_ND, const Weight& weight_ED,
                  const Tensor& bias_E) {
  if (weight_ED.is_packed()) {
    write_packed_linear(y_NE, x_ND, weight_ED.packed(), bias_E);
  } else if (bias_E.defined()) {
    y_NE.copy_(bias_E.expand_as(y_NE));
    add_product(y_NE, x_ND, weight_ED.dense().t());
  } else {
    write_product(y_NE, x_ND, weight_ED.dense().t());
  }
}

void write_input_grad(const Tensor& dx_ND, const Tensor& dy_NE, const Weight& weight_ED) {
  if (weight_ED.is_packed()) {
    write_packed_input_grad(dx_ND, dy_NE, weight_ED.packed());
  } else {
    write_product(dx_ND, dy_NE, weight_ED.dense());
  }
}

}  // namespace alambic::kernels
