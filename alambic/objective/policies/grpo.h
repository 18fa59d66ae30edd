#pragma once

#include "alambic/objective/policies/rows.h"

namespace alambic {

/// Group-relative policy optimization (Shao et al., arXiv 2402.03300): every token of a completion
/// has the completion's advantage within its group (group_advantage.h).
struct Grpo {
  static constexpr bool reads_teacher = false;
  static constexpr int temperature_power = 0;

  static Surrogate at(const PolicyRows& rows, double clip) {
    return clipped_surrogate(rows.ratio_C, rows.advantage_C, clip);
  }
};

}  // namespace alambic
