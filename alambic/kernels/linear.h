#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// y_NE = x_ND · weight_EDᵀ (+ bias_E), any floating dtype, differentiable. Without gradients and
/// for few rows of float32 on a CPU it takes our own kernel, since MKL has no small-row path on
/// AMD processors (docs/LOG.md).
/// `bias_E` may be undefined.
Tensor linear(const Tensor& x_ND, const Tensor& weight_ED, const Tensor& bias_E);

/// The same with the weight stored input-major, as GPT-2's Conv1D: y_NE = x_ND · weight_DE +
/// bias_E.
Tensor linear_input_major(const Tensor& x_ND, const Tensor& weight_DE, const Tensor& bias_E);

}  // namespace alambic::kernels
