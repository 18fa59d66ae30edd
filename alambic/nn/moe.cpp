#include "alambic/nn/moe.h"

namespace alambic {

namespace {

at::ScalarType score_type(const Tensor& weight) {
  return weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// The (token, expert) pairs ordered by expert.
struct Dispatch {
  Tensor order;                 // places of the pairs in experts_NK, expert by expert
  std::vector<int64_t> counts;  // pairs of each expert

  Dispatch(const Tensor& experts_NK, int64_t experts) {
    const Tensor flat = experts_NK.flatten();
    order = flat.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
    const Tensor bins = at::bincount(flat, {}, experts).to(at::kCPU);
    counts.assign(bins.const_data_ptr<int64_t>(), bins.const_data_ptr<int64_t>() + experts);
  }
};

}  // namespace

Router::Router(int64_t width, const RouterOptions& options)
    : options(options), weight_ED(placeholder({options.experts, width})) {}

Router::Choice Router::operator()(const Tensor& x_ND) const {
  const at::ScalarType type = score_type(weight_ED);
  const Tensor scores_NE = at::linear(x_ND.to(type), weight_ED.to(type)).softmax(-1);
  const Tensor experts_NK = std::get<1>(scores_NE.detach().topk(options.chosen));
  Tensor weights_NK = scores_NE.gather(-1, experts_NK);
  if (options.normalized) weights_NK = weights_NK / weights_NK.sum(-1, true);
  return {weights_NK, experts_NK};
}

Moe::Moe(const MlpShape& expert, const RouterOptions& options, const ExpertNames& names)
    : names(names), router(expert.width, options) {
  for (int64_t e = 0; e < options.experts; ++e) experts.emplace_back(expert);
}

Tensor Moe::forward(const Tensor& x_ND) const {
  const Router::Choice choice = router(x_ND);
  const Dispatch dispatch(choice.experts_NK, router.options.experts);
  const Tensor token_P = dispatch.order.floor_divide(router.options.chosen);
  const Tensor x_PD = x_ND.index_select(0, token_P);
  std::vector<Tensor> outputs;
  int64_t first = 0;
  for (size_t e = 0; e < experts.size(); ++e) {
    const int64_t count = dispatch.counts[e];
    if (count > 0) outputs.push_back(experts[e].forward(x_PD.narrow(0, first, count)));
    first += count;
  }
  if (outputs.empty()) return at::zeros_like(x_ND);
  const Tensor weight_P1 =
      choice.weights_NK.flatten().index_select(0, dispatch.order).unsqueeze(-1);
  const Tensor weighted_PD = (at::cat(outputs) * weight_P1).to(x_ND.scalar_type());
  return at::zeros_like(x_ND).index_add(0, token_P, weighted_PD);
}

void Moe::visit(const std::string& prefix, const TensorVisitor& visitor) {
  const std::string block = prefix + names.block + ".";
  visitor(block + "gate.weight", router.weight_ED);
  for (size_t e = 0; e < experts.size(); ++e) {
    const std::string expert = block + "experts." + std::to_string(e) + ".";
    experts[e].gate_proj.visit(expert + names.gate, visitor);
    experts[e].up_proj.visit(expert + names.up, visitor);
    experts[e].down_proj.visit(expert + names.down, visitor);
  }
}

}  // namespace alambic
