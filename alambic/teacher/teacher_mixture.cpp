#include "alambic/teacher/teacher_mixture.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"

namespace alambic {

TeacherMixture::TeacherMixture(const Teacher& only) {
  groups_ = {{{.teacher = {std::shared_ptr<const Teacher>(), &only}}}};
}

TeacherMixture TeacherMixture::none() {
  TeacherMixture teachers;
  teachers.groups_.emplace_back();
  return teachers;
}

TeacherMixture TeacherMixture::averaged(std::vector<WeightedTeacher> all) {
  double sum = 0;
  for (const WeightedTeacher& teacher : all) sum += teacher.weight;
  check(std::abs(sum - 1) < 1e-6, "weights of teachers sum to {}", sum);
  TeacherMixture teachers;
  teachers.groups_ = {std::move(all)};
  return teachers;
}

TeacherMixture TeacherMixture::routed(std::vector<std::shared_ptr<const Teacher>> members,
                                      std::vector<size_t> teacher_of_row) {
  TeacherMixture teachers;
  for (auto& member : members) teachers.groups_.push_back({{.teacher = std::move(member)}});
  teachers.teacher_of_row_ = std::move(teacher_of_row);
  return teachers;
}

std::vector<int64_t> TeacherMixture::by_group(std::vector<int64_t> rows) const {
  std::ranges::stable_sort(rows, {}, [this](int64_t row) { return group_of(row); });
  return rows;
}

std::vector<TeacherMixture::Piece> TeacherMixture::pieces(const std::vector<int64_t>& rows,
                                                          size_t max) const {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t group = group_of(rows[i]);
    const bool full = !pieces.empty() && max > 0 && pieces.back().count == max;
    if (pieces.empty() || full || pieces.back().group != group) {
      pieces.push_back({.first = i, .group = group});
    }
    ++pieces.back().count;
  }
  return pieces;
}

}  // namespace alambic
