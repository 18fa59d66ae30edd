#pragma once

#include <cmath>

#include "alambic/objective/divergence_ref.h"
#include "alambic/objective/divergences/entry.h"

namespace alambic {

/// Total variation distance, ½·Σ|p − q| (Wen et al., arXiv 2307.15190). Not smooth at p = q: the
/// pull there is 0. Its gradient shrinks with T once, not twice as a KL's: the value is
/// multiplied by T.
struct Tvd {
  static constexpr int temperature_power = 1;
  static constexpr DivergenceParameter parameter = {};

  template <class A>
  [[gnu::always_inline]] static constexpr Contribution<A> at(
      const Entry<A>& e, const typename A::Number& /*parameter*/) {
    const auto& x = e.delta;
    // p·(eˣ − 1) where q − p would cancel.
    const auto difference =
        A::select((x < 0.5f) & (x > -0.5f), e.p * (x + A::exp_remainder(x)), e.q - e.p);
    const auto half = e.q * 0.5f;
    const auto nothing = e.q * 0.0f;
    return {A::select(x > 0.0f, difference, -difference) * 0.5f,
            A::select(x > 0.0f, half, A::select(x < 0.0f, -half, nothing))};
  }

  static double definition(double /*parameter*/, const reference::Row& log_q,
                           const reference::Row& log_p) {
    double total = 0;
    for (size_t v = 0; v < log_p.size(); ++v) {
      total += std::abs(std::exp(log_p[v]) - std::exp(log_q[v])) / 2;
    }
    return total;
  }
};

}  // namespace alambic
