#pragma once

#include "alambic/nn/norm.h"

namespace alambic {

/// A sum of the residual stream and its norm.
struct SumAndNorm {
  Tensor sum_ND, norm_ND;
};

/// x + added, and the norm of that: two operators, or one kernel where a device has it. `added` may
/// be undefined: the sum is x. Of a norm without weight the norm is the sum.
SumAndNorm add_and_norm(const RmsNorm& norm, const Tensor& x_ND, const Tensor& added_ND);

/// Whether sums of such rows are made with the norm behind them for the price of the norm.
bool adds_with_norms(const RmsNorm& norm, const Tensor& x_ND);

}  // namespace alambic
