#pragma once

#include "alambic/objective/policies/rows.h"

namespace alambic {

/// Effect of the drawn token on the reverse KL of the completion's later tokens: MiniLLM's
/// long-term term (Gu et al., arXiv 2306.08543, §2.2), −r·R·∇log q(y), R the mean of log p − log q
/// over the tokens after it (returns.h). The single-step term beside it is the exact reverse KL.
struct LongTermKl {
  static constexpr bool reads_teacher = true;
  static constexpr int temperature_power = 2;

  static Surrogate at(const PolicyRows& rows, double clip) {
    return clipped_surrogate(rows.ratio_C, rows.return_C, clip);
  }
};

}  // namespace alambic
