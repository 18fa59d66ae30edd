// Drawn tokens of the small random problem. Behind `alambic selftest` and the tests.
#pragma once

#include "alambic/objective/policy.h"
#include "alambic/objective/policy_ref.h"
#include "alambic/selftest/problem.h"

namespace alambic::selftest {

/// Seven tokens of random_problem, drawn when the policy was another: ratios from 0.6 to 1.6.
struct DrawnProblem : Problem {
  DrawnTokens drawn;

  explicit DrawnProblem(double temperature = 1);
  /// log softmax(logits / T) of the drawn tokens, float64.
  Tensor logp(const Tensor& hidden_MD, const Head& head, double T) const;
  /// Value of the definition in loops; constants of the gradient are taken from `frozen`.
  double reference_sum(const Policy& policy, const Problem& frozen) const;
};

/// Every kind alone, and a sum with a reference.
std::vector<Policy> policies(double temperature, double clip);

/// Value and gradients of policy_loss.
Gradients differentiate(const Problem& problem, const DrawnTokens& drawn, const Policy& policy,
                        double normalizer = 1, const ChunkOptions& chunk = {});

/// One position with every token of the vocabulary as the drawn one, each weighted by its
/// probability: the expectation without any chance.
struct Enumerated {
  Problem problem;
  Tensor probability_V;  ///< the student's
  Gradients exact;       ///< gradients of the exact reverse KL

  explicit Enumerated(double temperature);
  /// Another policy that may have drawn the tokens.
  Tensor older_V() const;
  /// Σ_y sampler(y)·(value, gradient of the head)(y); with a mixture Σ_y mixture(y)·…(y), weighted.
  std::pair<double, Tensor> expected(const Policy& policy, const Tensor& sampler_V,
                                     const Tensor& mixture_V = {}) const;
};

}  // namespace alambic::selftest
