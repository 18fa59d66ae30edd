#pragma once

#include <memory>
#include <optional>

#include "alambic/teacher/reward.h"
#include "alambic/teacher/teacher.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// A teacher of whole completions: TeacherOutput::score_S, one reward per sequence, NaN where it
/// was dropped. Rollouts must say their rows (row_S).
///
/// Dropped scores are counted; once at least 20 completions were scored and more than `max_dropped`
/// of them have none, grading ends with an input error that gives the last reason: a broken reward
/// must not look like a hard task.
class ScoringTeacher : public Teacher {
 public:
  /// `expected`: by row of the data set. The tokenizer must outlive the teacher.
  ScoringTeacher(std::shared_ptr<const Reward> reward, const Tokenizer& tokenizer,
                 std::vector<std::optional<std::string>> expected, double max_dropped = 0.1);

  TeacherOutput evaluate(const Rollouts& rollouts) const override;
  int64_t scored() const { return scored_; }
  int64_t dropped() const { return dropped_; }

 private:
  void count(const std::vector<Score>& scores) const;

  std::shared_ptr<const Reward> reward_;
  const Tokenizer& tokenizer_;
  std::vector<std::optional<std::string>> expected_;
  double max_dropped_;
  mutable int64_t scored_ = 0, dropped_ = 0;  // for the limit alone
};

/// The texts of every sequence's prompt and completion, special tokens left out.
std::vector<Attempt> attempts_of(const Rollouts& rollouts, const Tokenizer& tokenizer);

}  // namespace alambic
