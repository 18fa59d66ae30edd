#pragma once

#include "alambic/flow/rollouts.h"
#include "alambic/flow/teacher_output.h"

namespace alambic {

/// Log-probabilities of the graded tokens under a teacher, float32. An internal error for forms
/// that do not give them.
Tensor drawn_logp_M(const Rollouts& rollouts, const TeacherOutput& output, double temperature);

}  // namespace alambic
