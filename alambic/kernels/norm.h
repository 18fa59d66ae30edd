#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// y = weight_D · x / sqrt(mean(x²) + epsilon) over the last dimension, the mean in float32 and the
/// quotient rounded to x's dtype before the product (after it, where the weight is wider), as
/// transformers' LlamaRMSNorm (Zhang and Sennrich, arXiv 1910.07467). Differentiable in x and
/// weight.
Tensor rms_norm(const Tensor& x_ND, const Tensor& weight_D, double epsilon);

/// y = weight_D · (x - mean) / sqrt(variance + epsilon) + bias_D (Ba et al., arXiv 1607.06450).
Tensor layer_norm(const Tensor& x_ND, const Tensor& weight_D, const Tensor& bias_D, double epsilon);

}  // namespace alambic::kernels
