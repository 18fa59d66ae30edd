// Products with a weight in either form: the one place that chooses between the kernels of dense
// matrices (kernels/linear.h) and those of packed blocks (kernels/packed_linear.h).
#pragma once

#include "alambic/tensor/weight.h"

namespace alambic::kernels {

/// y_NE = x_ND · weight_EDᵀ (+ bias_E), [N, E] in the dtype of x. Differentiable once; a packed
/// weight has no gradient of its own. `bias_E` may be undefined.
Tensor linear(const Tensor& x_ND, const Weight& weight_ED, const Tensor& bias_E);

/// The same, written to `y_NE`, which is of that dtype or the float32 of a wide product
/// (wide_product.h); not differentiable.
void write_linear(const Tensor& y_NE, const Tensor& x_ND, const Weight& weight_ED,
                  const Tensor& bias_E);

/// dx_ND = dy_NE · weight_ED, what goes back through `linear`, likewise.
void write_input_grad(const Tensor& dx_ND, const Tensor& dy_NE, const Weight& weight_ED);

}  // namespace alambic::kernels
