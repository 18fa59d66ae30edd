#pragma once

#include "alambic/objective/policies/rows.h"

namespace alambic {

/// KL(q‖reference) estimated from the drawn token: r·(eᵈ − 1 − d), d = log reference(y) − log q(y),
/// never negative (Schulman's k3), weighted by the importance ratio r. Its slope is −r·d:
/// r·(eᵈ − 1 − d) from the ratio and r·(1 − eᵈ) from the estimate. So both value and gradient have
/// the expectations of KL(q‖reference)'s; without r the gradient's would be KL(reference‖q)'s
/// (docs/numerics.md).
inline Surrogate reference_kl(const PolicyRows& rows) {
  const Tensor d_C = rows.reference_logp_C - rows.logp_C;
  return {rows.ratio_C * (at::expm1(d_C) - d_C), -rows.ratio_C * d_C, {}};
}

}  // namespace alambic
