#include "alambic/nn/expert_groups.h"

#include <algorithm>

#include "alambic/kernels/device_packed.h"

namespace alambic {

namespace {

namespace on_device = kernels::on_device;

Tensor by_expert(const Tensor& stack_RD, int64_t experts) {
  return stack_RD.unflatten(0, {experts, -1});
}

}  // namespace

bool takes_groups(const Tensor& x_ND, const Tensor& base_ND, const RouterOptions& options) {
  return !at::GradMode::is_enabled() && x_ND.size(0) > 0 && !x_ND.is_cpu() &&
         sorts_by_kernel(x_ND, base_ND, options);
}

bool can_be_grouped(const Tensor& x_ND, const std::vector<Weight>& stacks,
                    const RouterOptions& options) {
  return std::ranges::all_of(stacks, [&](const Weight& stack) {
    if (!stack.defined()) return false;
    if (stack.is_packed()) {
      return on_device::takes_packed_groups(x_ND.size(0) * options.top_k, options.experts);
    }
    return on_device::takes_grouped_product(x_ND, by_expert(stack.dense(), options.experts));
  });
}

Tensor grouped_linear(const Tensor& x_PD, const Weight& stack, const Tensor& bias_EF,
                      const on_device::Routed& routed) {
  if (stack.is_packed()) {
    return on_device::packed_groups(x_PD, stack.packed(), bias_EF, routed.ends_E);
  }
  return on_device::grouped_product(x_PD, by_expert(stack.dense(), routed.ends_E.numel()), routed);
}

Tensor mix_groups(
    const Tensor& x_ND, const Router::Choice& choice, const RouterOptions& options,
    const std::function<Tensor(const Tensor& x_PD, const on_device::Routed&)>& experts,
    const Tensor& base_ND) {
  const auto routed = on_device::route(choice.experts_NK, options.experts);
  const Tensor y_PD = experts(on_device::gather_rows(x_ND, routed), routed);
  return on_device::combine_rows(y_PD, choice.weights_NK, base_ND, routed);
}

}  // namespace alambic
