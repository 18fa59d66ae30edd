// Advantages of whole completions from their scores, within the completions to one prompt.
#pragma once

#include <cstdint>
#include <vector>

namespace alambic {

/// grpo: (score − mean) / (standard deviation + 1e-4), of the group, with n − 1 under the root.
/// dr_grpo: score − mean (Liu et al., arXiv 2503.20783): hard and easy prompts are not blown up.
enum class AdvantageKind { grpo, dr_grpo };

struct GroupAdvantages {
  std::vector<double> advantages;  ///< one a completion
  double mean = 0, deviation = 0;  ///< moments of the scores; of groups: mean of deviations
  int64_t dropped = 0;             ///< completions without a score (NaN)
  int64_t equal = 0;               ///< groups that teach nothing: all scores alike
};

/// Groups are `size` consecutive scores. A completion without a score counts nowhere, and its
/// advantage is 0; so is that of a group with a single score. A group whose scores are all alike
/// has the advantage 0 exactly. Figures without any score are NaN.
GroupAdvantages group_advantages(const std::vector<float>& scores, int64_t size,
                                 AdvantageKind kind);

}  // namespace alambic
