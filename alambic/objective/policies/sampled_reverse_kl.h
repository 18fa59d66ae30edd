#pragma once

#include "alambic/objective/policies/rows.h"

namespace alambic {

/// KL(q‖p) estimated from the drawn token alone, as a policy gradient: the advantage
/// A = log p(y) − log q(y) is a constant of the gradient, the importance ratio carries it. Value
/// and gradient have the expectations of the exact reverse KL's at the same position;
/// differentiating log q(y) − log p(y) itself would have a gradient of expectation 0
/// (docs/numerics.md).
struct SampledReverseKl {
  static constexpr bool reads_teacher = true;
  static constexpr int temperature_power = 2;

  static Surrogate at(const PolicyRows& rows, double clip) {
    const Tensor& share_C = rows.teacher_share_C;
    const Tensor logp_C = share_C.defined() ? share_C * rows.logp_C : rows.logp_C;
    return clipped_surrogate(rows.ratio_C, rows.teacher_logp_C - logp_C, clip);
  }
};

}  // namespace alambic
