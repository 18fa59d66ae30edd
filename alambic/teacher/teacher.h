// What all teachers share: they grade completions.
#pragma once

#include "alambic/flow/rollouts.h"
#include "alambic/flow/teacher_output.h"

namespace alambic {

/// What grades the rollouts it is given; which form of TeacherOutput comes out is the kind of
/// teacher's. No gradient and no memory: the same rollouts get the same output.
struct Teacher {
  virtual ~Teacher() = default;
  virtual TeacherOutput evaluate(const Rollouts& rollouts) const = 0;
};

}  // namespace alambic
