#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// Convolution of every channel alone, over the last W positions of its own sequence:
///   y[n, c] = Σ_j weight[c, j] · x[n − (W − 1) + j, c],
/// positions before the sequence counting as 0. `positions_N`: the place of each row of x in its
/// sequence, whose rows are all here. weight [C, W]. Differentiable in both.
Tensor packed_causal_convolution(const Tensor& x_NC, const Tensor& weight_CW,
                                 const Tensor& positions_N);

/// The same for one position of each of N sequences; `last_NWC` has its last W inputs, this
/// position's included.
Tensor causal_convolution_step(const Tensor& last_NWC, const Tensor& weight_CW);

}  // namespace alambic::kernels
