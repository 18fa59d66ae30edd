#include "alambic/nn/moe.h"

#include "alambic/base/error.h"
#include "alambic/kernels/device_graph.h"
#include "alambic/kernels/device_moe.h"
#include "alambic/nn/expert_groups.h"
#include "alambic/nn/joint_linear.h"

namespace alambic {

namespace {

at::ScalarType score_type(const Tensor& weight) {
  return weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

std::vector<int64_t> on_host(const Tensor& counts_E) {
  kernels::not_to_be_recorded("it asks the device how many tokens an expert gets");
  const Tensor counts = counts_E.to(at::kCPU, at::kLong);
  return {counts.const_data_ptr<int64_t>(), counts.const_data_ptr<int64_t>() + counts.numel()};
}

// The (token, expert) pairs ordered by expert.
struct Dispatch {
  Tensor order;                 // places of the pairs in experts_NK, expert by expert
  std::vector<int64_t> counts;  // pairs of each expert

  Dispatch(const Tensor& experts_NK, int64_t experts) {
    const Tensor flat = experts_NK.flatten();
    order = flat.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
    // One read of a device: bincount would make its host wait for the largest
    // number too.
    counts = on_host(
        flat.is_cpu()
            ? at::bincount(flat, {}, experts)
            : at::zeros({experts}, flat.options()).scatter_add_(0, flat, at::ones_like(flat)));
  }
};

// The choices with those outside of each token's best groups at −∞.
Tensor in_best_groups(const Tensor& choice_NE, const RouterOptions& options) {
  const Tensor grouped_NGe = choice_NE.unflatten(-1, {options.groups, -1});
  const Tensor group_NG = std::get<0>(grouped_NGe.topk(options.summed, -1)).sum(-1);
  const Tensor best_Ng = std::get<1>(group_NG.topk(options.topk_group));
  const Tensor hidden_NG =
      at::ones_like(group_NG, group_NG.options().dtype(at::kBool)).scatter(-1, best_Ng, false);
  return grouped_NGe.masked_fill(hidden_NG.unsqueeze(-1), -std::numeric_limits<double>::infinity())
      .flatten(-2);
}

Tensor scores_of(const Tensor& logits_NE, Scores scores) {
  switch (scores) {
    case Scores::softmax:
      return logits_NE.softmax(-1);
    case Scores::sigmoid:
      return logits_NE.sigmoid();
    case Scores::root_softplus:
      return at::logaddexp(logits_NE, at::zeros_like(logits_NE)).sqrt();
  }
  throw bug("unknown scores");
}

}  // namespace

bool sorts_by_kernel(const Tensor& x_ND, const Tensor& base_ND, const RouterOptions& options) {
  return options.experts <= kernels::most_experts && x_ND.dim() == 2 &&
         base_ND.scalar_type() == x_ND.scalar_type() &&
         kernels::kernels_of(x_ND, base_ND) != nullptr;
}

Router::Router(int64_t width, const RouterOptions& options)
    : options(options), weight_ED(placeholder({options.experts, width})) {
  if (options.biased) bias_E = placeholder({options.experts});
  if (options.has_correction_bias) correction_E = placeholder({options.experts});
}

Router::Choice Router::operator()(const Tensor& x_ND, const Pass& pass,
                                  const Tensor& given_NK) const {
  const at::ScalarType type = score_type(weight_ED);
  Tensor logits_NE = at::linear(x_ND.to(type), weight_ED.to(type));
  if (bias_E.defined()) logits_NE = logits_NE + bias_E.to(type);
  const Tensor scores_NE = scores_of(logits_NE, options.scores);
  Tensor experts_NK = given_NK;
  if (!experts_NK.defined()) {
    Tensor choice_NE = scores_NE.detach();
    if (correction_E.defined()) choice_NE = choice_NE + correction_E.detach().to(type);
    if (options.topk_group < options.groups) choice_NE = in_best_groups(choice_NE, options);
    experts_NK = std::get<1>(choice_NE.topk(options.top_k));
  }
  Tensor weights_NK = scores_NE.gather(-1, experts_NK);
  if (load && at::GradMode::is_enabled()) {
    load->add(experts_NK, scores_NE, pass.copies_N());
  }
  // Sigmoids may all vanish.
  if (options.norm_topk_prob) weights_NK = weights_NK / (weights_NK.sum(-1, true) + 1e-20);
  if (options.scaling != 1) weights_NK = weights_NK * options.scaling;
  return {weights_NK, experts_NK, ranks};
}

Router Router::copy() const {
  Router same = *this;
  same.load = nullptr;
  if (ranks) {
    same.ranks = std::make_shared<const ExpertRanks>(
        ExpertRanks{.world = ranks->world, .way = ExpertRanks::Way::added_up});
  }
  for (Tensor* tensor : {&same.weight_ED, &same.bias_E, &same.correction_E}) {
    if (tensor->defined()) *tensor = tensor->detach().clone();
  }
  return same;
}

Moe::Moe(const MlpShape& expert, const RouterOptions& options, const ExpertNames& names,
         int64_t shared_inner)
    : names(names), router(expert.width, options) {
  for (int64_t e = 0; e < options.experts; ++e) experts.emplace_back(expert);
  if (shared_inner > 0) {
    MlpShape of_all = expert;
    of_all.inner = shared_inner;
    shared.emplace(of_all);
  }
  if (!names.shared_gate.empty()) shared_gate = {expert.width, 1, false};
}

namespace {

// Each row `count` times in a row.
Tensor copies(const Tensor& x_ND, int64_t count) {
  return x_ND.unsqueeze(1).expand({-1, count, -1}).flatten(0, 1);
}

}  // namespace

Tensor mix_experts(const Tensor& x_ND, const Router::Choice& choice, const RouterOptions& options,
                   const ExpertOfRows& expert, const Tensor& base_ND) {
  if (choice.experts_NK.numel() == 0 && !choice.ranks) return base_ND;
  if (choice.ranks && choice.ranks->way == ExpertRanks::Way::exchange) {
    return base_ND + mixed_by_ranks(*choice.ranks, x_ND, choice.weights_NK, choice.experts_NK,
                                    options.experts, expert);
  }
  const auto of_rows = [&](const Tensor& x_PD, const std::vector<int64_t>& counts) {
    return choice.ranks ? by_experts_here(*choice.ranks, x_PD, counts, expert)
                        : by_experts(x_PD, counts, expert);
  };
  if (sorts_by_kernel(x_ND, base_ND, options)) {
    const auto one_by_one = [&](const Tensor& x_PD, const kernels::on_device::Routed& routed) {
      return of_rows(x_PD, on_host(routed.counts_E));
    };
    return mix_groups(x_ND, choice, options, one_by_one, base_ND);
  }
  const Dispatch dispatch(choice.experts_NK, options.experts);
  const bool on_cpu = x_ND.is_cpu();
  const Tensor token_P = on_cpu ? dispatch.order.floor_divide(options.top_k) : Tensor();
  const Tensor x_PD = on_cpu ? x_ND.index_select(0, token_P)
                             : copies(x_ND, options.top_k).index_select(0, dispatch.order);
  const Tensor y_PD = of_rows(x_PD, dispatch.counts);
  const Tensor weight_P1 =
      choice.weights_NK.flatten().index_select(0, dispatch.order).unsqueeze(-1);
  const Tensor weighted_PD = (y_PD * weight_P1).to(x_ND.scalar_type());
  if (on_cpu) return base_ND.index_add(0, token_P, weighted_PD);
  // Devices add to one place in the order in which threads come; here each
  // token's rows lie side by side, and so do their gradients.
  const Tensor place_P = dispatch.order.argsort();
  return base_ND + weighted_PD.index_select(0, place_P).unflatten(0, {-1, options.top_k}).sum(1);
}

Tensor Moe::forward(const Tensor& x_ND, const Pass& pass) const {
  return forward(x_ND, router(x_ND, pass));
}

namespace {

// The experts' matrices as stacks, where a device has them one behind the other (lay_side_by_side):
// of each expert its gate's rows, then its up's.
struct ExpertStacks {
  Weight gate_up, down;

  explicit ExpertStacks(const std::vector<DenseMlp>& experts) {
    std::vector<const Linear*> inner, outer;
    for (const DenseMlp& expert : experts) {
      inner.insert(inner.end(), {&expert.gate_proj, &expert.up_proj});
      outer.push_back(&expert.down_proj);
    }
    gate_up = joint_weight(inner);
    down = joint_weight(outer);
  }
};

}  // namespace

Tensor Moe::forward(const Tensor& x_ND, const Router::Choice& choice) const {
  Tensor base_ND = shared ? (*shared)(x_ND) : at::zeros_like(x_ND);
  if (shared_gate.weight.defined()) base_ND = base_ND * shared_gate(x_ND).sigmoid();
  const MlpShape& shape = experts.front().shape;
  if (!choice.ranks && takes_groups(x_ND, base_ND, router.options) && shape.limit == 0) {
    const ExpertStacks stacks(experts);
    if (can_be_grouped(x_ND, {stacks.gate_up, stacks.down}, router.options)) {
      const auto of_all = [&](const Tensor& x_PD, const kernels::on_device::Routed& routed) {
        const auto both = grouped_linear(x_PD, stacks.gate_up, {}, routed).chunk(2, -1);
        const Tensor inner_PF = kernels::gated(shape.gate, both[0], both[1]);
        return grouped_linear(inner_PF, stacks.down, {}, routed);
      };
      return mix_groups(x_ND, choice, router.options, of_all, base_ND);
    }
  }
  return mix_experts(
      x_ND, choice, router.options, [&](int64_t e, const Tensor& x_PD) { return experts[e](x_PD); },
      base_ND);
}

std::string Moe::undivided(int64_t ranks) const {
  const std::string reason = experts.front().undivided(ranks);
  return reason.empty() && shared ? shared->undivided(ranks) : reason;
}

std::unique_ptr<FeedForward> Moe::part(const World& group) const {
  auto part = std::make_unique<Moe>(*this);
  part->router = router.copy();
  if (!router.ranks) {
    for (DenseMlp& expert : part->experts) expert = expert.columns(group);
  }
  if (shared) part->shared = shared->columns(group);
  if (shared_gate.weight.defined()) part->shared_gate = shared_gate.copy();
  return part;
}

void Moe::visit(const std::string& prefix, const TensorVisitor& visitor) {
  const std::string block = prefix + names.block + ".";
  visitor.router(router);
  visitor(block + "gate.weight", router.weight_ED);
  if (router.correction_E.defined()) {
    visitor(block + "gate." + names.correction, router.correction_E);
  }
  const TensorVisitor of_experts = visitor.of_experts(router.options.share());
  for (size_t e = 0; e < experts.size(); ++e) {
    experts[e].visit_as(block + "experts." + std::to_string(e) + ".", names.maps, of_experts);
  }
  if (shared) shared->visit_as(block + names.shared + ".", names.maps, visitor);
  if (shared_gate.weight.defined()) shared_gate.visit(block + names.shared_gate, visitor);
}

}  // namespace alambic
