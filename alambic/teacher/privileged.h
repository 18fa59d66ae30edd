// TeacherMixture that read another prompt than the student: a hint, the reference solution, a
// longer instruction. The completion is the same, so the graded positions are.
#pragma once

#include <memory>

#include "alambic/teacher/teacher.h"

namespace alambic {

/// Prompts of a teacher by data row; an empty one means the row's own.
using TeacherPrompts = std::vector<std::vector<int32_t>>;

/// The rollouts with every sequence's prompt replaced by its row's; completions, their order and so
/// the M graded positions are untouched.
Rollouts with_prompts(const Rollouts& rollouts, const TeacherPrompts& prompts);

/// Lets another teacher grade the completions behind its own prompts.
class PrivilegedTeacher : public Teacher {
 public:
  PrivilegedTeacher(std::shared_ptr<const Teacher> inner, TeacherPrompts prompts)
      : inner_(std::move(inner)), prompts_(std::move(prompts)) {}

  TeacherOutput evaluate(const Rollouts& rollouts) const override {
    return inner_->evaluate(with_prompts(rollouts, prompts_));
  }
  void expect(const Rollouts& rollouts) const override {
    inner_->expect(with_prompts(rollouts, prompts_));
  }

 private:
  std::shared_ptr<const Teacher> inner_;
  TeacherPrompts prompts_;
};

}  // namespace alambic
