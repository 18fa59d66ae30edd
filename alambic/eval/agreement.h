#pragma once

#include <vector>

#include "alambic/base/metrics.h"
#include "alambic/flow/rollouts.h"
#include "alambic/teacher/local.h"

namespace alambic {

/// Both KL divergences, both entropies and the share of positions where student and teacher find
/// the same token most likely: means over the graded tokens of the rollouts, at temperature 1.
Metrics agreement(const Model& student, const LocalTeacher& teacher,
                  const std::vector<Rollouts>& rollouts);

}  // namespace alambic
