#include "alambic/objective/hidden_distance.h"

#include <gtest/gtest.h>

#include "problem.h"

namespace alambic {
namespace {

struct Case {
  Tensor student_MD, projection_TS, teacher_MD;

  explicit Case(bool projected) {
    at::manual_seed(5);
    student_MD = at::randn({6, 7}, at::kDouble);
    teacher_MD = at::randn({6, projected ? 11 : 7}, at::kDouble);
    if (projected) projection_TS = at::randn({11, 7}, at::kDouble);
  }

  double reference_sum(HiddenMeasure measure) const {
    std::vector<reference::Row> projection;
    if (projection_TS.defined()) projection = rows_of(projection_TS);
    const auto one =
        measure == HiddenMeasure::mse ? reference::hidden_mse : reference::hidden_cosine;
    double sum = 0;
    for (int64_t m = 0; m < 6; ++m)
      sum += one(row_of(student_MD[m]), projection, row_of(teacher_MD[m]));
    return sum;
  }
};

constexpr HiddenMeasure kMeasures[] = {HiddenMeasure::mse, HiddenMeasure::cosine};

// Bug: divided by the student's width or not at all, the mean over a micro-batch, a cosine without
// its 1.
TEST(HiddenDistance, EqualsTheDefinition) {
  for (const bool projected : {false, true}) {
    const Case in(projected);
    for (const HiddenMeasure measure : kMeasures) {
      const double expected = in.reference_sum(measure);
      const Loss wide = hidden_distance(measure, in.student_MD, in.projection_TS, in.teacher_MD, 4);
      EXPECT_NEAR(wide.value.item<double>(), expected / 4, 1e-12);
      EXPECT_NEAR(wide.sums.begin()->second, expected, 1e-11);
      const auto narrow = [](const Tensor& x) { return x.defined() ? x.to(at::kFloat) : x; };
      const Loss loss = hidden_distance(measure, narrow(in.student_MD), narrow(in.projection_TS),
                                        narrow(in.teacher_MD), 4);
      EXPECT_EQ(loss.value.scalar_type(), at::kFloat);
      EXPECT_NEAR(loss.value.item<double>(), expected / 4, 1e-5);
    }
  }
}

TEST(HiddenDistance, GradientsAreTheDefinitionsDifferences) {
  for (const HiddenMeasure measure : kMeasures) {
    Case in(true);
    const auto value = [&] { return in.reference_sum(measure) / 3; };
    const Tensor student = in.student_MD.clone().requires_grad_(),
                 projection = in.projection_TS.clone().requires_grad_();
    hidden_distance(measure, student, projection, in.teacher_MD, 3).value.backward();
    EXPECT_LT(relative_difference(student.grad(), finite_differences(in.student_MD, value)), 1e-7);
    EXPECT_LT(relative_difference(projection.grad(), finite_differences(in.projection_TS, value)),
              1e-7);
  }
}

// Bug: a division by the length of a vector that is zero.
TEST(HiddenDistance, StaysFiniteAtZero) {
  for (const HiddenMeasure measure : kMeasures) {
    const Tensor nothing = at::zeros({2, 5}).requires_grad_();
    const Loss loss = hidden_distance(measure, nothing, {}, at::zeros({2, 5}), 1);
    loss.value.backward();
    EXPECT_EQ(loss.value.item<double>(), measure == HiddenMeasure::mse ? 0 : 2);
    EXPECT_EQ(nothing.grad().abs().max().item<double>(), 0);
  }
}

}  // namespace
}  // namespace alambic
