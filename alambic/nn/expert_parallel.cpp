#include "alambic/nn/expert_parallel.h"

#include "alambic/tensor/function.h"

namespace alambic {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows on their way between ranks, and back.
struct Travel : torch::CustomClassHolder {
  std::shared_ptr<const World> world;
  std::vector<int64_t> sent, arrives;
  const char *doing, *doing_back;

  Travel(std::shared_ptr<const World> world, std::vector<int64_t> sent,
         std::vector<int64_t> arrives, const char* doing, const char* doing_back)
      : world(std::move(world)),
        sent(std::move(sent)),
        arrives(std::move(arrives)),
        doing(doing),
        doing_back(doing_back) {}
};

struct TravelFunction : torch::autograd::Function<TravelFunction> {
  // `anchor` wants a gradient: the rows that arrive then do on every rank alike, and every rank
  // takes part in the backward pass, whether or not its own rows want one.
  static Tensor forward(AutogradContext* context, const Tensor& rows_PD, const Tensor& /*anchor*/,
                        const c10::intrusive_ptr<Travel>& travel) {
    context->saved_data["travel"] = c10::IValue::make_capsule(travel);
    return travel->world->exchange_rows(rows_PD, travel->sent, travel->arrives, travel->doing);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto holder = context->saved_data["travel"].toCapsule();
    const auto& travel = static_cast<const Travel&>(*holder);
    return {
        travel.world->exchange_rows(gradients[0], travel.arrives, travel.sent, travel.doing_back),
        Tensor(), Tensor()};
  }
};

Tensor travelled(const c10::intrusive_ptr<Travel>& travel, const Tensor& rows_PD) {
  const Tensor anchor = at::zeros({}, rows_PD.options().requires_grad(false))
                            .set_requires_grad(at::GradMode::is_enabled());
  return TravelFunction::apply(rows_PD, anchor, travel);
}

// Rows of each rank's own experts that come here, [ranks, own experts].
Tensor arriving(const World& world, const std::vector<int64_t>& counts) {
  const int64_t each = std::ssize(counts) / world.size();
  const std::vector<int64_t> equal(static_cast<size_t>(world.size()), each);
  const Tensor own = at::tensor(counts, at::kLong);
  return world.exchange_rows(own, equal, equal, counting_rows).view({world.size(), each});
}

std::vector<int64_t> numbers_of(const Tensor& counts) {
  const Tensor flat = counts.contiguous();
  return {flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel()};
}

// Places of rows that lie rank by rank, and of each rank expert by expert, in the order of the
// experts, and of each expert rank by rank.
Tensor expert_by_expert(const Tensor& counts_RE) {
  const Tensor expert_Q = at::arange(counts_RE.size(1), at::kLong)
                              .repeat({counts_RE.size(0)})
                              .repeat_interleave(counts_RE.flatten());
  return expert_Q.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
}

Tensor exchanged(const ExpertRanks& ranks, const Tensor& x_PD, const std::vector<int64_t>& counts,
                 const ExpertOfRows& expert) {
  const World& world = *ranks.world;
  const Slice own = ranks.own(std::ssize(counts));
  const Tensor counts_RE = arriving(world, counts);
  const std::vector<int64_t> arrives = numbers_of(counts_RE.sum(1));
  const std::vector<int64_t> sent =
      numbers_of(at::tensor(counts, at::kLong).view({world.size(), own.count}).sum(1));
  const auto there =
      c10::make_intrusive<Travel>(ranks.world, sent, arrives, sending_rows, returning_rows);
  const auto back =
      c10::make_intrusive<Travel>(ranks.world, arrives, sent, returning_rows, sending_rows);
  const Tensor order_Q = expert_by_expert(counts_RE).to(x_PD.device());
  const Tensor here_QD = travelled(there, x_PD).index_select(0, order_Q);
  const Tensor made_QD =
      by_experts(here_QD, numbers_of(counts_RE.sum(0)),
                 [&](int64_t e, const Tensor& x) { return expert(own.begin + e, x); });
  return travelled(back, made_QD.index_select(0, order_Q.argsort()));
}

}  // namespace

Tensor by_experts(const Tensor& x_PD, const std::vector<int64_t>& counts,
                  const ExpertOfRows& expert) {
  std::vector<Tensor> outputs;
  int64_t first = 0;
  for (int64_t e = 0; e < std::ssize(counts); ++e) {
    if (counts[e] > 0) outputs.push_back(expert(e, x_PD.narrow(0, first, counts[e])));
    first += counts[e];
  }
  return outputs.empty() ? x_PD : at::cat(outputs);
}

Tensor by_experts_of_ranks(const ExpertRanks& ranks, const Tensor& x_PD,
                           const std::vector<int64_t>& counts, const ExpertOfRows& expert) {
  if (ranks.way == ExpertRanks::Way::here) return by_experts(x_PD, counts, expert);
  if (ranks.way == ExpertRanks::Way::exchange) return exchanged(ranks, x_PD, counts, expert);
  const Slice own = ranks.own(std::ssize(counts));
  return by_experts(x_PD, counts, [&](int64_t e, const Tensor& x) {
    const bool here = e >= own.begin && e < own.begin + own.count;
    return here ? expert(e, x) : at::zeros_like(x);
  });
}

}  // namespace alambic
