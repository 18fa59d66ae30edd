// Several teachers for one student: each row by the one that its tag names, or every row by all.
#pragma once

#include <memory>
#include <vector>

#include "alambic/teacher/teacher.h"

namespace alambic {

/// A teacher and its share of the loss.
struct WeightedTeacher {
  std::shared_ptr<const Teacher> teacher;
  double weight = 1;
};

/// Assignment of teachers to the rows they grade. Rows with the same teachers form a group; a
/// micro-batch holds rows of one group only, so one output head is needed at a time.
///
/// Averaging is the weighted mean of the divergences, Σ w_i · D(student, teacher_i), and not the
/// divergence from the mixture Σ w_i · p_i: it is exact for teachers of any width and any stored
/// form (hidden states, top-K with their own K entries each), for every objective, and needs one
/// head at a time, where the mixture needs the logits of all teachers at every position at once.
/// For the reverse KL its optimum is the normalized geometric mean of the teachers.
class TeacherMixture {
 public:
  /// One for every row, not owned.
  TeacherMixture(
      const Teacher& only);  // NOLINT(google-explicit-constructor): a teacher is teachers
  /// Mixture without a teacher: something else scores the completions.
  static TeacherMixture none();
  /// Every row by all of them; the weights sum to one.
  static TeacherMixture averaged(std::vector<WeightedTeacher> all);
  /// Row r by teachers[teacher_of_row[r]].
  static TeacherMixture routed(std::vector<std::shared_ptr<const Teacher>> teachers,
                               std::vector<size_t> teacher_of_row);

  size_t group_of(int64_t row) const {
    return teacher_of_row_.empty() ? 0 : teacher_of_row_.at(row);
  }
  /// The teachers of a group's rows.
  const std::vector<WeightedTeacher>& members(size_t group) const { return groups_.at(group); }
  size_t groups() const { return groups_.size(); }

  /// Rows ordered by group; those of one group keep their order.
  std::vector<int64_t> by_group(std::vector<int64_t> rows) const;

  /// Consecutive pieces of at most `max` rows (0: any number), none with rows of two groups.
  struct Piece {
    size_t first = 0, count = 0;
    size_t group = 0;
  };
  std::vector<Piece> pieces(const std::vector<int64_t>& rows, size_t max) const;

 private:
  TeacherMixture() = default;
  std::vector<std::vector<WeightedTeacher>> groups_;
  std::vector<size_t> teacher_of_row_;  // empty: one group
};

}  // namespace alambic
