#pragma once

#include "alambic/objective/divergence_ref.h"
#include "alambic/objective/divergences/entry.h"

namespace alambic {

/// KL(p‖q) = Σ p·log(p / q).
struct ForwardKl {
  static constexpr int temperature_power = 2;
  static constexpr DivergenceParameter parameter = {};

  template <class A>
  [[gnu::always_inline]] static constexpr Contribution<A> at(
      const Entry<A>& e, const typename A::Number& /*parameter*/) {
    return {positive_term<A>(e.p, e.q, e.delta), e.q - e.p};
  }

  static double definition(double /*parameter*/, const reference::Row& log_q,
                           const reference::Row& log_p) {
    return reference::kl(log_p, log_q);
  }
};

}  // namespace alambic
