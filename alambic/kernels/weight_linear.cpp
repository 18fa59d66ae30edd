#include "alambic/kernels/weight_linear.h"

#include "alambic/kernels/launch.h"
#include "alambic/kernels/linear.h"
#include "alambic/kernels/packed_linear.h"
#include "alambic/kernels/wide_product.h"
#include "alambic/tensor/packed_view.h"

namespace alambic::kernels {

namespace {

// Whether a bfloat16 weight is multiplied as a packed one: few rows of bfloat16, and no gradient of
// its own. More rows are the libraries', whose processors' own instructions are as fast.
bool decodes_bfloat(const Tensor& x_ND, const Tensor& weight_ED) {
  return x_ND.scalar_type() == at::kBFloat16 && x_ND.size(0) < many_rows() &&
         can_be_packed(weight_ED) && !wants_gradient(weight_ED);
}

}  // namespace

Tensor linear(const Tensor& x_ND, const Weight& weight_ED, const Tensor& bias_E) {
  if (weight_ED.is_packed()) return packed_linear(x_ND, weight_ED.packed(), bias_E);
  const Tensor dense_ED = weight_ED.dense();
  if (decodes_bfloat(x_ND, dense_ED)) {
    return packed_linear(x_ND, packed_from(dense_ED, at::kBFloat16), bias_E);
  }
  return linear(x_ND, dense_ED, bias_E);
}

void write_linear(const Tensor& y_NE, const Tensor& x_ND, const Weight& weight_ED,
                  const Tensor& bias_E) {
  if (weight_ED.is_packed()) {
    write_packed_linear(y_NE, x_ND, weight_ED.packed(), bias_E);
  } else if (y_NE.scalar_type() != x_ND.scalar_type()) {
    write_wide_product(y_NE, x_ND, weight_ED.dense().t());
    if (bias_E.defined()) y_NE.add_(bias_E);
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
  } else if (dx_ND.scalar_type() != dy_NE.scalar_type()) {
    write_wide_product(dx_ND, dy_NE, weight_ED.dense());
  } else {
    write_product(dx_ND, dy_NE, weight_ED.dense());
  }
}

}  // namespace alambic::kernels
