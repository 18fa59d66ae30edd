// Balance of the tokens over routed experts (Fedus et al., Switch Transformers, arXiv
// 2101.03961, equations 4 to 6), in the form of transformers' load_balancing_loss_func.
#pragma once

#include <memory>
#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Choices of one router for the tokens of some passes.
struct RouterLoad {
  Tensor chosen_E;  ///< float64: tokens that were sent to the expert; undefined before the first
  Tensor shares_E;  ///< float64: the expert's shares of the tokens' scores, summed
  int64_t tokens = 0;

  /// `experts_NK` int64; `scores_NE` not negative, each token's divided here by their sum;
  /// `copies_N` int64, how often a row counts; undefined: once.
  void add(const Tensor& experts_NK, const Tensor& scores_NE, const Tensor& copies_N = {});
};

struct LoadBalance {
  /// E · Σ_e f_e p_e over the tokens of all layers together, f_e the share of the tokens that were
  /// sent to expert e and p_e the mean of its scores: k, the experts of a token, where all are used
  /// alike; E where all go to the same.
  double value = 0;
  /// Largest share of its layer's tokens that one expert got: k / E … 1.
  double largest_share = 0;
};

/// Load balance of the routers of a model; those without a token count for nothing.
LoadBalance balance_of(const std::vector<std::shared_ptr<RouterLoad>>& loads);

}  // namespace alambic
