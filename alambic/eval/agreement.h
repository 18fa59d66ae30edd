#pragma once

#include <vector>

#include "alambic/base/metrics.h"
#include "alambic/flow/rollouts.h"
#include "alambic/model/model.h"
#include "alambic/teacher/teacher_mixture.h"

namespace alambic {

/// Both KL divergences, both entropies and the share of positions where student and teacher find
/// the same token most likely: means over the graded tokens of the rollouts, at temperature 1. The
/// sequences of one batch are graded by the teachers of its first row (row 0 where it names none).
/// Of one that gives its K most likely tokens both KLs over these and a tail (topk_…, over
/// `vocabulary` tokens of the student), of one that gives a number a token nothing.
Metrics agreement(const Model& student, const TeacherMixture& teachers,
                  const std::vector<Rollouts>& rollouts, int64_t vocabulary = 0);

}  // namespace alambic
