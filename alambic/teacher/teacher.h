// What all teachers share: they grade answers.
#pragma once

#include "alambic/flow/rollouts.h"
#include "alambic/flow/teacher_output.h"

namespace alambic {

/// Grades the rollouts it is given; which form of Judgement comes out is the kind of teacher's.
/// Grading has no gradient and no memory: the same rollouts get the same judgement.
struct Teacher {
  virtual ~Teacher() = default;
  virtual Judgement grade(const Rollouts& rollouts) const = 0;
};

}  // namespace alambic
