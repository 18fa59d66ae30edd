// What all teachers share: they grade completions.
#pragma once

#include "alambic/flow/rollouts.h"
#include "alambic/flow/teacher_output.h"

namespace alambic {

/// Grades the rollouts it is given; which form of TeacherOutput comes out is the kind of teacher's.
/// Grading has no gradient and no memory: the same rollouts get the same teacher output.
struct Teacher {
  virtual ~Teacher() = default;
  virtual TeacherOutput evaluate(const Rollouts& rollouts) const = 0;
};

}  // namespace alambic
