#pragma once

#include "alambic/objective/divergence_ref.h"
#include "alambic/objective/divergences/entry.h"

namespace alambic {

/// KL(q‖m), m = (1 − alpha)·p + alpha·q, 0 < alpha < 1 (Ko et al., DistiLLM, arXiv 2402.03898).
/// x = log(q / m) − alpha·q / m; the constant alpha is added.
struct SkewReverseKl {
  static constexpr int temperature_power = 2;
  static constexpr DivergenceParameter parameter = {
      DivergenceParameter::alpha, DivergenceKind::reverse_kl, DivergenceKind::reverse_kl};

  template <class A>
  [[gnu::always_inline]] static constexpr Contribution<A> at(const Entry<A>& e,
                                                             const typename A::Number& alpha) {
    const auto rest = 1.0f - alpha;
    const auto m = e.p * rest + e.q * alpha;
    const auto to_student = to_mixture<A>(e.delta, rest).student;
    return {positive_term<A>(e.q, m, to_student),
            alpha * rest * over<A>(e.q, m) * (e.p - e.q) - e.q * to_student};
  }

  static double definition(double alpha, const reference::Row& log_q, const reference::Row& log_p) {
    return reference::kl(log_q, reference::mixture(1 - alpha, log_p, log_q));
  }
};

}  // namespace alambic
