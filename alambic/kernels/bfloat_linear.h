// Linear maps of bfloat16 on processors that have no instructions for it.
#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// Whether x · weight is computed here and not by libtorch: both bfloat16 on a CPU without
/// AVX512_BF16, where libtorch's products are five to six times as slow as those of float32.
bool widens_bfloat(const Tensor& x_ND, const Tensor& weight);

/// x · weightᵀ + bias for weight [E, D] (`output_major`), x · weight + bias for [D, E]: numbers are
/// widened in registers, sums are float32, and rounded once. Differentiable in all three.
Tensor bfloat_linear(const Tensor& x_ND, const Tensor& weight, const Tensor& bias_E,
                     bool output_major);

}  // namespace alambic::kernels
