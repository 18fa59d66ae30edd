// What top-K refuses; its properties are in proof_test.cpp.
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "problem.h"

namespace alambic {
namespace {

TEST(TopK, RefusesWhatTheTeacherCannotSay) {
  const Problem problem = remote(random_problem(3, 37), 4, 1);
  EXPECT_THROW(differentiate(problem, {.topk = 5}), Error);
  EXPECT_THROW(differentiate(problem, {.topk = 4, .topk_by = TopKBy::student}), Error);
  Problem outside = problem;
  outside.teacher_output.token_MK = problem.teacher_output.token_MK + 37;
  EXPECT_THROW(differentiate(outside, {}), Error);
  Problem judged = problem;
  judged.teacher_output = TeacherOutput();
  judged.teacher_output.score_S = at::zeros({1});
  EXPECT_THROW(differentiate(judged, {}), Error);
}

}  // namespace
}  // namespace alambic
