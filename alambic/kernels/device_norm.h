// RMS norm on an accelerator that has kernels (kernels/device.h): norm.h's, with the sum of the
// residual stream before it; differentiable once.
#pragma once

#include "alambic/kernels/device.h"

namespace alambic::kernels::on_device {

/// Ways in which families multiply by the weight.
struct NormStyle {
  double epsilon = 0;
  bool plus_one = false;  ///< by 1 + weight, before it is rounded
  bool wide = false;      ///< before it is rounded, where the types are one
};

/// Whether there are kernels for norms of such rows.
bool takes_norm(const Tensor& x_ND, const Tensor& weight_D);

Tensor rms_norm(const Tensor& x_ND, const Tensor& weight_D, const NormStyle& style);

struct SumAndNorm {
  Tensor sum_ND, norm_ND;
};
/// x + added, rounded to their type, and its norm.
SumAndNorm add_and_norm(const Tensor& x_ND, const Tensor& added_ND, const Tensor& weight_D,
                        const NormStyle& style);

}  // namespace alambic::kernels::on_device
