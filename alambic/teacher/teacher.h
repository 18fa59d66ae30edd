// Interface of all teachers: they grade completions.
#pragma once

#include "alambic/flow/rollouts.h"
#include "alambic/flow/teacher_output.h"

namespace alambic {

/// Grader of rollouts; the form of TeacherOutput depends on the kind of teacher. No gradient and no
/// memory: the same rollouts get the same output.
struct Teacher {
  virtual ~Teacher() = default;
  virtual TeacherOutput evaluate(const Rollouts& rollouts) const = 0;
  /// Tells that these rollouts will be evaluated, for a teacher that can begin meanwhile.
  virtual void expect(const Rollouts& /*rollouts*/) const {}
  /// Number of comparisons that its output allows: the graded tokens; with another tokenizer the
  /// spans of them, or their cells.
  virtual int64_t graded(const Rollouts& rollouts) const {
    return rollouts.completion_mask_N.sum().item<int64_t>();
  }
};

}  // namespace alambic
