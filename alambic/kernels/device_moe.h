// Rows of tokens to their experts and back on an accelerator that has kernels (kernels/device.h):
// nothing is read on the host, and every sum has one order.
#pragma once

#include "alambic/kernels/device.h"

namespace alambic::kernels::on_device {

/// The (token, expert) pairs in the order of experts, those of one in the order of tokens. int32.
struct Routed {
  Tensor counts_E;  ///< pairs of each expert
  Tensor ends_E;    ///< where they end: what at::_grouped_mm takes
  Tensor order_P;   ///< at each place, its pair: token · K + choice
  Tensor place_P;   ///< of each pair, its place
  int64_t top_k = 0;
};

/// `experts_NK` int64, each below `experts`, of which there are at most most_experts.
Routed route(const Tensor& experts_NK, int64_t experts);

/// The token's row at each place, [P, D]. Differentiable.
Tensor gather_rows(const Tensor& x_ND, const Routed& routed);

/// base_ND plus each token's rows of y_PD times weights_NK, summed in float32 in the order of the
/// choices. Differentiable in y, weights and base, which has y's dtype.
Tensor combine_rows(const Tensor& y_PD, const Tensor& weights_NK, const Tensor& base_ND,
                    const Routed& routed);

/// Rows of each expert by its own matrix, [P, F]: without gradients, and without a count on the
/// host. `weights_EFD`: one matrix behind the other.
Tensor grouped_product(const Tensor& x_PD, const Tensor& weights_EFD, const Routed& routed);
/// Whether libtorch has it for such widths, which are whole numbers of 16 bytes.
bool takes_grouped_product(const Tensor& x_PD, const Tensor& weights_EFD);

}  // namespace alambic::kernels::on_device
