#include "alambic/nn/expert_parallel.h"

#include <algorithm>
#include <limits>

#include "alambic/kernels/device_graph.h"
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

std::vector<int64_t> numbers_of(const Tensor& counts) {
  kernels::not_to_be_recorded("it asks the device where its tokens go");
  const Tensor flat = counts.to(at::kCPU, at::kLong).contiguous();
  return {flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel()};
}

/// Copies of rows, one for each column in which `chosen` is true of the row, column by column.
/// Those of a row have places of their own, so that what is added up is so in one order.
class Copies {
 public:
  // At most `most` columns of a row.
  Copies(const Tensor& chosen_NC, int64_t most)
      : rows_(chosen_NC.size(0)),
        places_(std::min(most, chosen_NC.size(1))),
        counts_C_(numbers_of(chosen_NC.sum(0))) {
    const Tensor place_NC = chosen_NC.cumsum(1) - 1 +
                            places_ * at::arange(rows_, place_options(chosen_NC)).unsqueeze(1);
    place_P_ = place_NC.t().masked_select(chosen_NC.t());
  }

  const std::vector<int64_t>& counts() const { return counts_C_; }
  Tensor of(const Tensor& x_ND) const {
    return x_ND.unsqueeze(1).expand({-1, places_, -1}).flatten(0, 1).index_select(0, place_P_);
  }
  // Sum of each row's.
  Tensor sum(const Tensor& y_PD) const {
    return at::zeros({rows_ * places_, y_PD.size(1)}, y_PD.options().requires_grad(false))
        .index_copy(0, place_P_, y_PD)
        .unflatten(0, {rows_, places_})
        .sum(1);
  }

 private:
  static at::TensorOptions place_options(const Tensor& chosen_NC) {
    return at::device(chosen_NC.device()).dtype(at::kLong);
  }

  int64_t rows_, places_;
  std::vector<int64_t> counts_C_;
  Tensor place_P_;
};

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

Tensor by_experts_here(const ExpertRanks& ranks, const Tensor& x_PD,
                       const std::vector<int64_t>& counts, const ExpertOfRows& expert) {
  if (ranks.way == ExpertRanks::Way::here) return by_experts(x_PD, counts, expert);
  const Slice own = ranks.own(std::ssize(counts));
  return by_experts(x_PD, counts, [&](int64_t e, const Tensor& x) {
    const bool here = e >= own.begin && e < own.begin + own.count;
    return here ? expert(e, x) : at::zeros_like(x);
  });
}

Tensor mixed_by_ranks(const ExpertRanks& ranks, const Tensor& x_ND, const Tensor& weights_NK,
                      const Tensor& experts_NK, int64_t experts, const ExpertOfRows& expert) {
  const World& world = *ranks.world;
  const Slice own = ranks.own(experts);
  const int64_t chosen = experts_NK.size(1);
  constexpr double none = -std::numeric_limits<double>::infinity();  // of experts not chosen
  const Tensor weights_NE = at::full({x_ND.size(0), experts}, none, weights_NK.detach().options())
                                .scatter(1, experts_NK, weights_NK);
  const Tensor weights_NRe = weights_NE.unflatten(1, {world.size(), own.count});
  const Tensor goes_NR = (weights_NRe != none).any(-1);
  const Copies out(goes_NR, chosen);
  const std::vector<int64_t> once(static_cast<size_t>(world.size()), 1);
  const std::vector<int64_t>& sent = out.counts();
  const std::vector<int64_t> arrives =
      numbers_of(world.exchange_rows(at::tensor(sent, at::kLong), once, once, counting_rows));
  const auto travels = [&](const Tensor& rows, bool there, const char* doing,
                           const char* doing_back) {
    return travelled(c10::make_intrusive<Travel>(ranks.world, there ? sent : arrives,
                                                 there ? arrives : sent, doing, doing_back),
                     rows);
  };
  const Tensor x_QD = travels(out.of(x_ND), true, sending_rows, returning_rows);
  const Tensor sent_Pe = weights_NRe.transpose(0, 1).flatten(0, 1).index_select(
      0, goes_NR.t().flatten().nonzero().squeeze(1));
  const Tensor weights_Qe = travels(sent_Pe, true, sending_weights, sending_weights);
  const Tensor here_Qe = weights_Qe.detach() != none;
  const Copies in(here_Qe, chosen);
  const Tensor y_SD = by_experts(in.of(x_QD), in.counts(), [&](int64_t e, const Tensor& x) {
    return expert(own.begin + e, x);
  });
  const Tensor weight_S1 = weights_Qe.t().masked_select(here_Qe.t()).unsqueeze(-1);
  const Tensor mixed_QD = in.sum((y_SD * weight_S1).to(x_ND.scalar_type()));
  return out.sum(travels(mixed_QD, false, returning_rows, sending_rows));
}

}  // namespace alambic
