#pragma once

#include "alambic/objective/divergence_ref.h"
#include "alambic/objective/divergences/entry.h"

namespace alambic {

/// beta·KL(p‖m) + (1 − beta)·KL(q‖m), m = beta·p + (1 − beta)·q, 0 < beta < 1 (Agarwal et al.,
/// arXiv 2306.13649, eq. 3). At the ends the plain KLs stand in (generalized_jsd).
struct Jsd {
  static constexpr int temperature_power = 2;
  static constexpr DivergenceParameter parameter = {
      DivergenceParameter::beta, DivergenceKind::forward_kl, DivergenceKind::reverse_kl};

  template <class A>
  [[gnu::always_inline]] static constexpr Contribution<A> at(const Entry<A>& e,
                                                             const typename A::Number& beta) {
    const auto rest = 1.0f - beta;
    const ToMixture<A> to = to_mixture<A>(e.delta, beta);
    const auto m = e.p * beta + e.q * rest;
    return {
        beta * positive_term<A>(e.p, m, to.teacher) + rest * positive_term<A>(e.q, m, to.student),
        -rest * e.q * to.student};
  }

  static double definition(double beta, const reference::Row& log_q, const reference::Row& log_p) {
    if (beta == 0) return reference::kl(log_p, log_q);
    if (beta == 1) return reference::kl(log_q, log_p);
    const reference::Row log_m = reference::mixture(beta, log_p, log_q);
    return beta * reference::kl(log_p, log_m) + (1 - beta) * reference::kl(log_q, log_m);
  }
};

}  // namespace alambic
