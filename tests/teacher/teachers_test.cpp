#include "alambic/teacher/teacher_mixture.h"

#include <gtest/gtest.h>

namespace alambic::teachers_test {
namespace {

struct Silent : Teacher {
  TeacherOutput evaluate(const Rollouts&) const override { return {}; }
};

std::shared_ptr<const Teacher> somebody() { return std::make_shared<Silent>(); }

TEST(TeacherMixture, GroupRowsByTeacherAndKeepTheirOrder) {
  const auto teachers =
      TeacherMixture::routed({somebody(), somebody(), somebody()}, {2, 0, 1, 0, 2, 0});
  EXPECT_EQ(teachers.by_group({0, 1, 2, 3, 4, 5}), (std::vector<int64_t>{1, 3, 5, 2, 0, 4}));
  EXPECT_EQ(teachers.group_of(4), 2u);
  EXPECT_EQ(teachers.members(1).size(), 1u);
  EXPECT_EQ(teachers.members(1).front().weight, 1);
}

// A micro-batch with rows of two teachers would be graded by one of them.
TEST(TeacherMixture, NeverMixGroupsInAPiece) {
  const auto teachers = TeacherMixture::routed({somebody(), somebody()}, {0, 0, 0, 1, 1});
  const std::vector<int64_t> rows = {0, 1, 2, 2, 3, 4};
  const auto sizes = [&](size_t max) {
    std::vector<size_t> sizes;
    size_t next = 0;
    for (const auto& [first, count, group] : teachers.pieces(rows, max)) {
      EXPECT_EQ(first, next);
      for (size_t i = first; i < first + count; ++i) {
        EXPECT_EQ(teachers.group_of(rows[i]), group);
      }
      sizes.push_back(count);
      next = first + count;
    }
    EXPECT_EQ(next, rows.size());
    return sizes;
  };
  EXPECT_EQ(sizes(0), (std::vector<size_t>{4, 2}));
  EXPECT_EQ(sizes(3), (std::vector<size_t>{3, 1, 2}));
  EXPECT_EQ(sizes(1), (std::vector<size_t>{1, 1, 1, 1, 1, 1}));
}

TEST(TeacherMixture, AverageOverEveryRow) {
  const auto teachers = TeacherMixture::averaged({{somebody(), 0.25}, {somebody(), 0.75}});
  EXPECT_EQ(teachers.groups(), 1u);
  EXPECT_EQ(teachers.members(teachers.group_of(7)).size(), 2u);
  EXPECT_EQ(teachers.pieces({5, 6, 7}, 0).size(), 1u);
}

}  // namespace
}  // namespace alambic::teachers_test
