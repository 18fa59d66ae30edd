#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// Rotary position embedding, half-split form as in Hugging Face (Su et al., arXiv 2104.09864):
/// with d the head width and i < d/2,
///   y[i] = x[i]·cos[i] − x[i + d/2]·sin[i],  y[i + d/2] = x[i + d/2]·cos[i] + x[i]·sin[i].
/// `cos_Nd`, `sin_Nd`: float32 (or float64), [N, d/2], the row of each position. Differentiable in
/// x.
Tensor rope(const Tensor& x_NHd, const Tensor& cos_Nd, const Tensor& sin_Nd);

}  // namespace alambic::kernels
