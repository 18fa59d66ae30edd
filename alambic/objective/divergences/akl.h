#pragma once

#include "alambic/objective/divergence_ref.h"
#include "alambic/objective/divergences/entry.h"

namespace alambic {

/// share·KL(p‖q) + (1 − share)·KL(q‖p) (Wu et al., arXiv 2404.02657). The head of a position is its
/// smallest set of most likely teacher tokens with at least half of the probability; share is the
/// head's part of Σ|p − q| (½ where that sum is 0), and a constant in the gradient. The parameter
/// is each position's share, made before the visit.
struct Akl {
  static constexpr int temperature_power = 2;
  static constexpr DivergenceParameter parameter = {DivergenceParameter::head_share};

  template <class A>
  [[gnu::always_inline]] static constexpr Contribution<A> at(const Entry<A>& e,
                                                             const typename A::Number& share) {
    const auto rest = 1.0f - share;
    return {
        share * positive_term<A>(e.p, e.q, e.delta) + rest * positive_term<A>(e.q, e.p, -e.delta),
        share * (e.q - e.p) + rest * e.q * e.delta};
  }

  static double definition(double share, const reference::Row& log_q, const reference::Row& log_p) {
    return share * reference::kl(log_p, log_q) + (1 - share) * reference::kl(log_q, log_p);
  }
};

}  // namespace alambic
