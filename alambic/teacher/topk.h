#pragma once

#include "alambic/flow/teacher_output.h"

namespace alambic {

/// The K most likely tokens of every position and their log-probabilities at a temperature, from
/// hidden states and head, a chunk of positions at a time. K is at most the vocabulary's size.
TopK topk_of(const HiddenStates& teacher, int64_t k, double temperature);

}  // namespace alambic
