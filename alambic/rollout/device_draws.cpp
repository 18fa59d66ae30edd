#include "alambic/rollout/device_draws.h"

#include "alambic/rollout/filter.h"
#include "alambic/rollout/mixture.h"
#include "alambic/rollout/weights.h"

namespace alambic {

namespace {

Tensor sums_before(const Tensor& weight_BV) {
  return weight_BV.cumsum(-1, at::kDouble) - weight_BV;
}

// Weights with those of the tokens at 0 that the filters leave out; the filters and their order are
// those of rollout/filter.h.
Tensor filtered(const Tensor& logits_BV, const Tensor& weight_BV, const Sampling& sampling) {
  const auto [sorted_BV, order_BV] =
      at::sort(logits_BV, /*stable=*/true, /*dim=*/-1, /*descending=*/true);
  Tensor kept_BV = weight_BV.gather(-1, order_BV);
  if (sampling.top_k > 0 && sampling.top_k < logits_BV.size(-1)) {
    kept_BV = kept_BV.masked_fill(sorted_BV < sorted_BV.narrow(-1, sampling.top_k - 1, 1), 0);
  }
  if (sampling.top_p < 1) {
    const Tensor share_B1 = kept_BV.sum(-1, true, at::kDouble) * sampling.top_p;
    kept_BV = kept_BV.masked_fill(sums_before(kept_BV) >= share_B1, 0);
  }
  if (sampling.min_p > 0) kept_BV = kept_BV.masked_fill(kept_BV < sampling.min_p, 0);
  return at::zeros_like(kept_BV).scatter_(-1, order_BV, kept_BV);
}

}  // namespace

DrawnRows draw_rows(const Tensor& logits_BV, const Sampling& sampling, const Tensor& coin_B) {
  const Tensor wide_BV = logits_BV.to(at::kFloat);
  const bool greedy = sampling.temperature == 0;
  const double temperature = greedy ? 1 : sampling.temperature;
  const Tensor largest_B1 = wide_BV.amax(-1, true);
  const Tensor distance_BV = wide_BV - largest_B1;
  const Tensor weight_BV = (distance_BV * inverse(temperature)).exp();
  const Tensor total_B1 = weight_BV.sum(-1, true, at::kDouble);
  Tensor token_B1;
  if (greedy) {
    token_B1 = wide_BV.argmax(-1, true);
  } else {
    const Tensor drawn_BV = filters(sampling) ? filtered(wide_BV, weight_BV, sampling) : weight_BV;
    const Tensor sum_BV = drawn_BV.cumsum(-1, at::kDouble);
    const int64_t last = sum_BV.size(-1) - 1;
    const Tensor target_B1 = sum_BV.narrow(-1, last, 1) * coin_B.unsqueeze(-1);
    // The first token whose sum is above the target.
    token_B1 = (sum_BV <= target_B1).sum(-1, true).clamp_max(last);
  }
  const Tensor logp_B1 =
      distance_BV.gather(-1, token_B1).to(at::kDouble) / temperature - total_B1.log();
  return {token_B1.squeeze(-1), logp_B1.squeeze(-1).to(at::kFloat)};
}

Tensor log_probabilities(const Tensor& logits_BV, double temperature, const Tensor& token_B) {
  if (temperature == 0) temperature = 1;
  const Tensor wide_BV = logits_BV.to(at::kFloat);
  const Tensor distance_BV = wide_BV - wide_BV.amax(-1, true);
  const Tensor total_B1 = (distance_BV * inverse(temperature)).exp().sum(-1, true, at::kDouble);
  const Tensor own_B1 = distance_BV.gather(-1, token_B.unsqueeze(-1)).to(at::kDouble);
  return (own_B1 / temperature - total_B1.log()).squeeze(-1).to(at::kFloat);
}

DrawnNumbers draw_numbers(const std::vector<Tensor>& logits_BV, const Sampling& sampling,
                          double share, const Tensor& coin_B) {
  const auto wide = [](const Tensor& x) { return x.to(at::kDouble); };
  if (logits_BV.size() == 1) {
    const DrawnRows drawn = draw_rows(logits_BV[0], sampling, coin_B);
    return {drawn.token_B, at::stack({wide(drawn.token_B), wide(drawn.logp_B)})};
  }
  const Mixture mixed = mixture(logits_BV[0], logits_BV[1], share, sampling.temperature);
  const DrawnRows drawn = draw_rows(mixed.mixed_BV, {.temperature = 1}, coin_B);
  const Tensor own_B = mixed.own_BV.gather(1, drawn.token_B.unsqueeze(1)).squeeze(1);
  return {drawn.token_B,
          at::stack({wide(drawn.token_B), wide(own_B), wide((own_B - drawn.logp_B).exp())})};
}

bool draws_by_kernel(at::Device device) { return kernels::device_kernels(device) != nullptr; }

void draw_by_kernel(const Tensor& logits_BV, const Sampling& sampling,
                    const kernels::on_device::DrawCoins& coins, const Tensor& token_B,
                    const Tensor& numbers) {
  kernels::on_device::draw(logits_BV.to(at::kFloat),
                           {.temperature = sampling.temperature,
                            .top_k = sampling.top_k,
                            .top_p = sampling.top_p,
                            .min_p = sampling.min_p},
                           coins, token_B, numbers, /*advance=*/true);
}

}  // namespace alambic
