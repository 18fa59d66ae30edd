// The rows of all experts at once, on an accelerator whose kernels sort and combine them
// (kernels/device_moe.h): nothing is read on the host.
#pragma once

#include <functional>

#include "alambic/kernels/device_moe.h"
#include "alambic/nn/moe.h"

namespace alambic {

/// Whether the device does so and no gradient is wanted.
bool takes_groups(const Tensor& x_ND, const Tensor& base_ND, const RouterOptions& options);
/// Whether these matrices of all experts are multiplied so: dense [E · F, D], or packed ones, each
/// decoded for few rows.
bool can_be_grouped(const Tensor& x_ND, const std::vector<Weight>& stacks,
                    const RouterOptions& options);

/// Rows of each expert by its own matrix (+ its bias, [E, F], which dense stacks have not), [P, F].
Tensor grouped_linear(const Tensor& x_PD, const Weight& stack, const Tensor& bias_EF,
                      const kernels::on_device::Routed& routed);

/// mix_experts; `experts(x, routed)` is called once with the rows of all of them.
Tensor mix_groups(
    const Tensor& x_ND, const Router::Choice& choice, const RouterOptions& options,
    const std::function<Tensor(const Tensor& x_PD, const kernels::on_device::Routed&)>& experts,
    const Tensor& base_ND);

}  // namespace alambic
