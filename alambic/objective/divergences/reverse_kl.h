#pragma once

#include "alambic/objective/divergences/entry.h"

namespace alambic {

/// KL(q‖p) = Σ q·log(q / p).
struct ReverseKl {
  static constexpr int temperature_power = 2;

  template <class A>
  [[gnu::always_inline]] static Contribution<A> at(const Entry<A>& e,
                                                   const typename A::Number& /*parameter*/) {
    return {positive_term<A>(e.q, e.p, -e.delta), e.q * e.delta};
  }
};

}  // namespace alambic
