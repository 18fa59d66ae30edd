#pragma once

#include "alambic/objective/divergence_ref.h"
#include "alambic/objective/divergences/entry.h"

namespace alambic {

/// KL(q‖p) = Σ q·log(q / p).
struct ReverseKl {
  static constexpr int temperature_power = 2;
  static constexpr DivergenceParameter parameter = {};

  template <class A>
  [[gnu::always_inline]] static constexpr Contribution<A> at(
      const Entry<A>& e, const typename A::Number& /*parameter*/) {
    return {positive_term<A>(e.q, e.p, -e.delta), e.q * e.delta};
  }

  static double definition(double /*parameter*/, const reference::Row& log_q,
                           const reference::Row& log_p) {
    return reference::kl(log_q, log_p);
  }
};

}  // namespace alambic
