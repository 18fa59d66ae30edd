#pragma once

#include <cstdint>
#include <vector>

#include "alambic/flow/rollouts.h"

namespace alambic {

/// Graded tokens of every completion.
std::vector<int64_t> graded_lengths(const Rollouts& rollouts);

/// Returns of every token of every completion (`lengths` tokens each, end to end): the sum of
/// `reward_M` over the completion's tokens after it, divided by their number where `normalize` says
/// so, which keeps long completions from being worse by their length alone (MiniLLM, §2.2). 0 for
/// the last token of a completion. float64, on the CPU's or reward's device.
Tensor returns_M(const Tensor& reward_M, const std::vector<int64_t>& lengths,
                 bool normalize = true);

}  // namespace alambic
