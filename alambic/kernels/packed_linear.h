#pragma once

#include "alambic/tensor/packed_matrix.h"

namespace alambic::kernels {

/// y_NE = x_ND · weight_EDᵀ (+ bias_E) for a weight that is decoded a few hundred rows at a time;
/// not differentiable. In float32 bit-equal to `linear` of the decoded weight; in bfloat16 up to
/// the order in which libtorch sums. `bias_E` may be undefined.
Tensor packed_linear(const Tensor& x_ND, const PackedMatrix& weight_ED, const Tensor& bias_E);

/// The same, written to `y_NE`; x, y and bias in a dtype of the caller's, to which the decoded rows
/// are brought.
void write_packed_linear(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
                         const Tensor& bias_E);

}  // namespace alambic::kernels
