#pragma once

#include <cstdint>
#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// For every token of every answer (`lengths` tokens each, end to end): the sum of `reward_M` over
/// the answer's tokens after it, divided by their number where `normalise` says so, which keeps
/// long answers from being worse by their length alone (MiniLLM, §2.2). 0 for the last token of an
/// answer. float64, on the CPU's or reward's device.
Tensor returns_M(const Tensor& reward_M, const std::vector<int64_t>& lengths,
                 bool normalise = true);

}  // namespace alambic
