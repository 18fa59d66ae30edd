#include "alambic/nn/router_load.h"

#include <algorithm>

namespace alambic {

void RouterLoad::add(const Tensor& experts_NK, const Tensor& scores_NE, const Tensor& copies_N) {
  const at::NoGradGuard no_grad;
  const Tensor times_N1 =
      (copies_N.defined() ? copies_N : at::ones_like(experts_NK.select(1, 0))).unsqueeze(1);
  // Whole numbers, whose sums have no order; bincount's host would wait for a device.
  const Tensor chosen = at::zeros({scores_NE.size(-1)}, scores_NE.options().dtype(at::kDouble))
                            .scatter_add_(0, experts_NK.flatten(),
                                          times_N1.expand_as(experts_NK).flatten().to(at::kDouble));
  const Tensor share_NE = (scores_NE / (scores_NE.sum(-1, true) + 1e-20)).to(at::kDouble);
  const Tensor shares = (share_NE * times_N1).sum(0);
  chosen_E = chosen_E.defined() ? chosen_E + chosen : chosen;
  shares_E = shares_E.defined() ? shares_E + shares : shares;
  tokens += copies_N.defined() ? times_N1.sum().item<int64_t>() : experts_NK.size(0);
}

LoadBalance balance_of(const std::vector<std::shared_ptr<RouterLoad>>& loads) {
  LoadBalance balance;
  Tensor chosen_E, shares_E;
  double tokens = 0;
  for (const auto& load : loads) {
    if (load->tokens == 0) continue;
    const auto own = static_cast<double>(load->tokens);
    balance.largest_share =
        std::max(balance.largest_share, load->chosen_E.max().item<double>() / own);
    chosen_E = chosen_E.defined() ? chosen_E + load->chosen_E : load->chosen_E;
    shares_E = shares_E.defined() ? shares_E + load->shares_E : load->shares_E;
    tokens += own;
  }
  if (tokens == 0) return balance;
  balance.value = static_cast<double>(chosen_E.numel()) *
                  (chosen_E * shares_E).sum().item<double>() / (tokens * tokens);
  return balance;
}

}  // namespace alambic
