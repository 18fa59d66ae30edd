// What top-K refuses; its properties are in alambic/selftest/topk_properties.cpp.
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "problem.h"

namespace alambic::topk_test {
namespace {

TEST(TopK, RefusesWhatTheTeacherCannotSay) {
  const Problem problem = remote(random_problem(3, 37), 4, 1);
  EXPECT_THROW(differentiate(problem, {.topk = 5}), Error);
  EXPECT_THROW(differentiate(problem, {.topk = 4, .topk_by = TopKBy::student}), Error);
  Problem outside = problem;
  Tensor& token_MK = std::get<TopK>(outside.teacher_output).token_MK;
  token_MK = token_MK + 37;
  EXPECT_THROW(differentiate(outside, {}), Error);
}

}  // namespace
}  // namespace alambic::topk_test
