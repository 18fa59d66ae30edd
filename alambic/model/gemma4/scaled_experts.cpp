#include "alambic/model/gemma4/scaled_experts.h"

#include <cmath>

#include "alambic/kernels/activation.h"
#include "alambic/kernels/weight_linear.h"
#include "alambic/nn/expert_groups.h"
#include "alambic/nn/norm.h"

namespace alambic {

ScaledExperts::ScaledExperts(const MlpShape& shape, const RouterOptions& options, double epsilon)
    : shape(shape), router(shape.width, options), epsilon(epsilon) {
  const int64_t E = options.experts;
  scale_D = placeholder({shape.width});
  per_expert_scale_E = placeholder({E});
  gate_up_proj = placeholder({E, 2 * shape.inner, shape.width});
  down_proj = placeholder({E, shape.width, shape.inner});
}

Tensor ScaledExperts::forward(const Tensor& seen_ND, const Tensor& x_ND, const Pass& pass) const {
  const double root = std::sqrt(static_cast<double>(shape.width));
  Router::Choice choice = router(plain_rms_norm(seen_ND, epsilon) * scale_D / root, pass);
  const Tensor scale_NK =
      per_expert_scale_E.index_select(0, choice.experts_NK.flatten()).view_as(choice.experts_NK);
  choice.weights_NK = choice.weights_NK * scale_NK;
  const Tensor zeros_ND = at::zeros_like(x_ND);
  if (!choice.ranks && gate_up_proj.is_packed() && takes_groups(x_ND, zeros_ND, router.options) &&
      can_be_grouped(x_ND, {gate_up_proj, down_proj}, router.options)) {
    const auto of_all = [&](const Tensor& x_PD, const kernels::on_device::Routed& routed) {
      const std::vector<Tensor> halves =
          grouped_linear(x_PD, gate_up_proj, {}, routed).chunk(2, -1);
      return grouped_linear(kernels::geglu(halves[0], halves[1]), down_proj, {}, routed);
    };
    return mix_groups(x_ND, choice, router.options, of_all, zeros_ND);
  }
  const std::vector<Weight> both = gate_up_proj.matrices(), down = down_proj.matrices();
  const int64_t first = choice.first_here(router.options.experts);
  const auto expert = [&](int64_t e, const Tensor& x_PD) {
    const int64_t i = e - first;
    const std::vector<Tensor> halves = kernels::linear(x_PD, both[i], Tensor()).chunk(2, -1);
    return kernels::linear(kernels::geglu(halves[0], halves[1]), down[i], Tensor());
  };
  return mix_experts(x_ND, choice, router.options, expert, zeros_ND);
}

void ScaledExperts::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor.router(router);
  visitor(prefix + "router.proj.weight", router.weight_ED);
  visitor(prefix + "router.scale", scale_D);
  visitor(prefix + "router.per_expert_scale", per_expert_scale_E);
  visitor(prefix + "experts.gate_up_proj", gate_up_proj);
  visitor(prefix + "experts.down_proj", down_proj);
  // Inputs and outputs of both maps, and the gated product, for each chosen expert.
  visitor.activations([&](double) {
    return router.options.top_k * (2 * shape.width + 3 * shape.inner + shape.inner);
  });
}

}  // namespace alambic
