#pragma once

#include <functional>

#include "alambic/train/optimizer.h"

namespace alambic {

/// Runs `attempt`, which adds gradients to the student's tensors and those beside it. Where the
/// device runs out of memory the gradients are dropped, `halve` makes the micro-batches smaller and
/// returns how many sequences one has now, that is said, and it is attempted again: sums over
/// micro-batches are the same for any size. An environment error where `halve` returns 0.
void within_memory(Model& student, const NamedTensors& beside, const std::function<void()>& attempt,
                   const std::function<int64_t()>& halve);

}  // namespace alambic
