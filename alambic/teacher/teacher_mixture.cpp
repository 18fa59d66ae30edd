#include "alambic/teacher/teacher_mixture.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"

namespace alambic {

Teachers::Teachers(const Teacher& only) {
  groups_ = {{{.teacher = {std::shared_ptr<const Teacher>(), &only}}}};
}

Teachers Teachers::none() {
  Teachers teachers;
  teachers.groups_.emplace_back();
  return teachers;
}

Teachers Teachers::averaged(std::vector<Grader> all) {
  double sum = 0;
  for (const Grader& grader : all) sum += grader.weight;
  check(std::abs(sum - 1) < 1e-6, "weights of teachers sum to {}", sum);
  Teachers teachers;
  teachers.groups_ = {std::move(all)};
  return teachers;
}

Teachers Teachers::routed(std::vector<std::shared_ptr<const Teacher>> members,
                          std::vector<size_t> teacher_of_row) {
  Teachers teachers;
  for (auto& member : members) teachers.groups_.push_back({{.teacher = std::move(member)}});
  teachers.teacher_of_row_ = std::move(teacher_of_row);
  return teachers;
}

std::vector<int64_t> Teachers::by_group(std::vector<int64_t> rows) const {
  std::ranges::stable_sort(rows, {}, [this](int64_t row) { return group_of(row); });
  return rows;
}

std::vector<Teachers::Piece> Teachers::pieces(const std::vector<int64_t>& rows, size_t most) const {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t group = group_of(rows[i]);
    const bool full = !pieces.empty() && most > 0 && pieces.back().count == most;
    if (pieces.empty() || full || pieces.back().group != group) {
      pieces.push_back({.first = i, .group = group});
    }
    ++pieces.back().count;
  }
  return pieces;
}

}  // namespace alambic
