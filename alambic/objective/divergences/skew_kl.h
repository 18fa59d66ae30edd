#pragma once

#include "alambic/objective/divergence_ref.h"
#include "alambic/objective/divergences/entry.h"

namespace alambic {

/// KL(p‖m), m = alpha·p + (1 − alpha)·q, 0 < alpha < 1 (Ko et al., DistiLLM, arXiv 2402.03898).
/// x = −(1 − alpha)·p / m; the constant 1 − alpha is added, so that p = q pulls exactly nowhere.
struct SkewKl {
  static constexpr int temperature_power = 2;
  static constexpr DivergenceParameter parameter = {
      DivergenceParameter::alpha, DivergenceKind::forward_kl, DivergenceKind::forward_kl};

  template <class A>
  [[gnu::always_inline]] static constexpr Contribution<A> at(const Entry<A>& e,
                                                             const typename A::Number& alpha) {
    const auto rest = 1.0f - alpha;
    const auto m = e.p * alpha + e.q * rest;
    return {positive_term<A>(e.p, m, to_mixture<A>(e.delta, alpha).teacher),
            rest * rest * over<A>(e.q, m) * (e.q - e.p)};
  }

  static double definition(double alpha, const reference::Row& log_q, const reference::Row& log_p) {
    return reference::kl(log_p, reference::mixture(alpha, log_p, log_q));
  }
};

}  // namespace alambic
