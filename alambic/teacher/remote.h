#pragma once

#include <memory>

#include "alambic/remote/hidden_grader.h"
#include "alambic/teacher/teacher.h"

namespace alambic {

/// A teacher behind an address: the K most likely tokens of every place (TopK) where its grader
/// asks for some, else one number a token (TokenLogp). A sequence is graded from its first graded
/// token on. Errors are those of RemoteGrader; it gives all grades or none.
class RemoteTeacher : public Teacher {
 public:
  explicit RemoteTeacher(std::shared_ptr<RemoteGrader> grader) : grader_(std::move(grader)) {}

  TeacherOutput evaluate(const Rollouts& rollouts) const override;
  RemoteGrader& grader() const { return *grader_; }

 private:
  std::shared_ptr<RemoteGrader> grader_;
};

/// A teacher behind `alambic serve`: the hidden states of its last layer, from which all follows as
/// from a local teacher's.
class RemoteStates : public Teacher {
 public:
  explicit RemoteStates(std::shared_ptr<HiddenGrader> grader) : grader_(std::move(grader)) {}

  TeacherOutput evaluate(const Rollouts& rollouts) const override;

 private:
  std::shared_ptr<HiddenGrader> grader_;
  mutable Head head_;  // undefined before the first grades
};

}  // namespace alambic
