#pragma once

#include "alambic/tensor/packed_matrix.h"

namespace alambic::kernels {

/// y_NE = x_ND · weight_EDᵀ (+ bias_E) for a weight whose blocks are decoded in the product,
/// differentiable once with respect to x and bias. In float32 bit-equal to `linear` of the decoded
/// weight, gradients included where there are many rows; bfloat16 is summed in float32, with the
/// file's numbers unrounded, and rounded once. On an accelerator by kernels/device_packed.h.
/// `bias_E` may be undefined.
Tensor packed_linear(const Tensor& x_ND, const PackedMatrix& weight_ED, const Tensor& bias_E);

/// The same, written to `y_NE`, not differentiable.
void write_packed_linear(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
                         const Tensor& bias_E);

/// dx_ND = dy_NE · weight_ED, what goes back through packed_linear; not differentiable.
void write_packed_input_grad(const Tensor& dx_ND, const Tensor& dy_NE,
                             const PackedMatrix& weight_ED);

}  // namespace alambic::kernels
