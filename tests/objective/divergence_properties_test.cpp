// Refusals and counts of divergence_loss; its properties are in tests/selftest/.
#include <gtest/gtest.h>

#include <algorithm>

#include "alambic/base/error.h"
#include "problem.h"

namespace alambic::divergence_properties_test {
namespace {

// Bug: ties or the teacher's own best token counted.
TEST(Divergence, CountsWhereBothFindTheSameTokenMostLikely) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(6, 40).to(dtype);
    double expected = 0;
    for (int64_t m = 0; m < 6; ++m) {
      const auto s = problem.student_logits(m), t = problem.teacher_logits(m);
      expected +=
          std::ranges::max_element(s) - s.begin() == std::ranges::max_element(t) - t.begin();
    }
    const Loss loss = measure_divergence({}, problem.student_MD, problem.student,
                                         problem.teacher_output, {.rows = 4});
    EXPECT_EQ(loss.sums.at("agreement"), expected);
    EXPECT_FALSE(loss.value.requires_grad());
  }
}

TEST(Divergence, NoGradedPositionIsALossOfZero) {
  const Gradients gradients = differentiate(random_problem(0, 40, true), {});
  EXPECT_EQ(gradients.value, 0);
  EXPECT_EQ(gradients.weight_VD.abs().sum().item<double>(), 0);
}

TEST(Divergence, RefusesVocabulariesThatDiffer) {
  Problem problem = random_problem();
  problem.student = problem.student.cut(36);
  try {
    loss_of(problem, {});
    FAIL() << "compared distributions over 36 and 37 tokens";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "the student has 36 tokens, the teacher 37");
    EXPECT_EQ(error.exit(), Exit::input);
  }
}

}  // namespace
}  // namespace alambic::divergence_properties_test
