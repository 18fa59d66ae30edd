#include "alambic/model/gpt_oss/clamped_experts.h"

#include <fmt/format.h>

#include "alambic/dist/world.h"
#include "alambic/kernels/linear.h"
#include "alambic/kernels/weight_linear.h"
#include "alambic/nn/expert_groups.h"

namespace alambic {

ClampedExperts::ClampedExperts(const ClampedShape& shape, const RouterOptions& options)
    : shape(shape), router(shape.width, options) {
  const int64_t E = options.experts;
  gate_up_proj = placeholder({E, shape.width, 2 * shape.inner});
  gate_up_proj_bias = placeholder({E, 2 * shape.inner});
  down_proj = placeholder({E, shape.inner, shape.width});
  down_proj_bias = placeholder({E, shape.width});
}

namespace {

// Packed matrices have their outputs as rows, dense ones their inputs.
Tensor mapped(const Tensor& x_PD, const Weight& weight, const Tensor& bias) {
  return weight.is_packed() ? kernels::linear(x_PD, weight, bias)
                            : kernels::linear_input_major(x_PD, weight.dense(), bias);
}

Tensor gated_by(const ClampedShape& shape, const Tensor& both_PF) {
  const Tensor pairs = both_PF.unflatten(-1, {-1, 2});
  const Tensor gate = pairs.select(-1, 0).clamp_max(shape.limit);
  const Tensor up = pairs.select(-1, 1).clamp(-shape.limit, shape.limit);
  return (up + 1) * (gate * (gate * shape.alpha).sigmoid());
}

}  // namespace

Tensor ClampedExperts::forward(const Tensor& x_ND, const Pass& pass) const {
  const Router::Choice choice = router(x_ND, pass);
  const Tensor zeros_ND = at::zeros_like(x_ND);
  // Dense matrices lie input-major, which grouped products do not take.
  if (!choice.ranks && gate_up_proj.is_packed() && takes_groups(x_ND, zeros_ND, router.options) &&
      can_be_grouped(x_ND, {gate_up_proj, down_proj}, router.options)) {
    const auto of_all = [&](const Tensor& x_PD, const kernels::on_device::Routed& routed) {
      const Tensor both_PF = grouped_linear(x_PD, gate_up_proj, gate_up_proj_bias, routed);
      return grouped_linear(gated_by(shape, both_PF), down_proj, down_proj_bias, routed);
    };
    return mix_groups(x_ND, choice, router.options, of_all, zeros_ND);
  }
  const std::vector<Weight> both = gate_up_proj.matrices(), down = down_proj.matrices();
  const std::vector<Tensor> both_bias = gate_up_proj_bias.unbind();
  const std::vector<Tensor> down_bias = down_proj_bias.unbind();
  const int64_t first = choice.first_here(router.options.experts);
  const auto expert = [&](int64_t e, const Tensor& x_PD) {
    const int64_t i = e - first;
    return mapped(gated_by(shape, mapped(x_PD, both[i], both_bias[i])), down[i], down_bias[i]);
  };
  return mix_experts(x_ND, choice, router.options, expert, zeros_ND);
}

std::string ClampedExperts::undivided(int64_t ranks) const {
  if (shape.inner >= ranks) return "";
  return fmt::format("its experts have {} inner columns", shape.inner);
}

std::unique_ptr<FeedForward> ClampedExperts::part(const World& group) const {
  if (router.ranks) {
    auto own = std::make_unique<ClampedExperts>(*this);
    own->router = router.copy();
    return own;
  }
  ClampedShape narrow = shape;
  const int64_t first = group.begin(shape.inner);
  narrow.inner = group.end(shape.inner) - first;
  const Slices own = {{first, narrow.inner}}, pairs = {{2 * first, 2 * narrow.inner}};
  auto part = std::make_unique<ClampedExperts>(narrow, router.options);
  part->router = router.copy();
  part->gate_up_proj = copy_of(gate_up_proj.decoded(), 2, pairs);
  part->gate_up_proj_bias = copy_of(gate_up_proj_bias, 1, pairs);
  part->down_proj = copy_of(down_proj.decoded(), 1, own);
  const Tensor& bias = down_proj_bias;
  part->down_proj_bias = group.leads() ? bias.detach().clone() : at::zeros_like(bias.detach());
  return part;
}

void ClampedExperts::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor.router(router);
  visitor(prefix + "mlp.router.weight", router.weight_ED);
  visitor(prefix + "mlp.router.bias", router.bias_E);
  visitor(prefix + "mlp.experts.gate_up_proj", gate_up_proj);
  visitor(prefix + "mlp.experts.gate_up_proj_bias", gate_up_proj_bias);
  visitor(prefix + "mlp.experts.down_proj", down_proj);
  visitor(prefix + "mlp.experts.down_proj_bias", down_proj_bias);
  // Inputs and outputs of both maps for each chosen expert; the bounded gate and up, the sigmoid
  // and its product with the gate.
  visitor.activations([&](double) {
    const int64_t maps = 2 * shape.width + 3 * shape.inner;
    return router.options.top_k * (maps + 4 * shape.inner);
  });
}

}  // namespace alambic
