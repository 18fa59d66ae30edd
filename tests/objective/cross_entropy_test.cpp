#include "alambic/objective/cross_entropy.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "problem.h"

namespace alambic::cross_entropy_test {
namespace {

const std::vector<int64_t> kTargets = {0, 36, 5, 5, 17, 20, 35};

Tensor targets() { return at::tensor(kTargets); }

double reference_sum(const Problem& problem) {
  double total = 0;
  for (size_t m = 0; m < kTargets.size(); ++m) {
    total += reference::cross_entropy(logits_of(problem.student_MD[m], problem.student),
                                      static_cast<int>(kTargets[m]));
  }
  return total;
}

// Bug: the target shifted by one, the wrong sign, the mean over a chunk.
TEST(CrossEntropy, EqualsTheDefinition) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(7, 37, true).to(dtype);
    for (const int64_t rows : {0, 1, 3}) {
      const Loss loss =
          cross_entropy_loss(problem.student_MD, problem.student, targets(), 7, {.rows = rows});
      const double expected = reference_sum(problem) / 7;
      EXPECT_NEAR(loss.value.item<double>(), expected,
                  (dtype == at::kDouble ? 1e-10 : 1e-6) * expected);
      EXPECT_NEAR(loss.sums.at("cross_entropy"), 7 * expected, 1e-5);
    }
  }
}

// Bug: 1_y missing, soft-cap or scale outside the chain rule.
TEST(CrossEntropy, GradientsAreTheDefinitionsDifferences) {
  Problem problem = random_problem(7, 37, true);
  problem.student.scale = 0.8;
  for (const double softcap : {0.0, 4.0}) {
    problem.student.softcap = softcap;
    const auto value = [&] { return reference_sum(problem) / 7; };
    for (const auto dtype : {at::kDouble, at::kFloat}) {
      const Problem typed = problem.to(dtype);
      const Tensor hidden = typed.student_MD.clone().requires_grad_();
      Head head = typed.student;
      head.weight_VD = head.weight_VD.dense().clone().requires_grad_();
      head.bias_V = head.bias_V.clone().requires_grad_();
      cross_entropy_loss(hidden, head, targets(), 7, {.rows = 2}).value.backward();
      const double tolerance = dtype == at::kDouble ? 1e-8 : 1e-5;
      EXPECT_LT(relative_difference(hidden.grad(), finite_differences(problem.student_MD, value)),
                tolerance);
      EXPECT_LT(relative_difference(head.weight_VD.dense().grad(),
                                    finite_differences(problem.student.weight_VD.dense(), value)),
                tolerance);
      EXPECT_LT(relative_difference(head.bias_V.grad(),
                                    finite_differences(problem.student.bias_V, value)),
                tolerance);
    }
  }
}

// Bug: near certainty 1 − q rounds to 0 and learning stops, or q − 1 to noise.
TEST(CrossEntropy, AnAlmostCertainTargetStillHasItsGradient) {
  const Tensor one = at::ones({1, 1});
  const Tensor weight = at::tensor(std::vector<float>{20, 0}).unsqueeze(1).requires_grad_();
  const Tensor first = at::tensor(std::vector<int64_t>{0});
  const Loss loss = cross_entropy_loss(one, {.weight_VD = weight}, first, 1);
  loss.value.backward();
  EXPECT_NEAR(loss.value.item<double>(), std::exp(-20.0), 1e-3 * std::exp(-20.0));
  EXPECT_NEAR(weight.grad()[0].item<double>(), -std::exp(-20.0), 1e-3 * std::exp(-20.0));
}

// Bug: the trainer's log-probabilities are not the sampler's (slime #714): temperature forgotten.
TEST(CrossEntropy, TargetLogProbabilitiesAreThoseOfTheDefinition) {
  const Problem problem = random_problem(7, 37, true);
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem typed = problem.to(dtype);
    const Tensor logp =
        target_log_probabilities(typed.student_MD, typed.student, targets(), 0.7, {.rows = 2});
    EXPECT_EQ(logp.scalar_type(), at::kFloat);
    for (size_t m = 0; m < kTargets.size(); ++m) {
      const auto expected = reference::log_softmax(
          logits_of(problem.student_MD[m], problem.student), 0.7)[kTargets[m]];
      EXPECT_NEAR(logp[m].item<double>(), expected, 1e-5);
    }
  }
}

TEST(CrossEntropy, CountsTargetsThatAreTheMostLikelyToken) {
  const Problem problem = random_problem(7, 37).to(at::kFloat);
  const Tensor best = at::mm(problem.student_MD, problem.student.weight_VD.dense().t()).argmax(-1);
  Tensor half = best.clone();
  half.narrow(0, 0, 3).add_(1).remainder_(37);
  const auto agreement = [&](const Tensor& t) {
    return cross_entropy_loss(problem.student_MD, problem.student, t, 7).sums.at("agreement");
  };
  EXPECT_EQ(agreement(best), 7);
  EXPECT_EQ(agreement(half), 4);
}

// Bug: the kernel writes outside a row.
TEST(CrossEntropy, RefusesATargetOutsideTheVocabulary) {
  const Problem problem = random_problem(7, 37).to(at::kFloat);
  for (const int64_t bad : {-1, 37}) {
    Tensor wrong = targets();
    wrong[2] = bad;
    EXPECT_THROW(cross_entropy_loss(problem.student_MD, problem.student, wrong, 7), Error);
    EXPECT_THROW(target_log_probabilities(problem.student_MD, problem.student, wrong), Error);
  }
}

TEST(CrossEntropy, ANanMakesTheLossNan) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(7, 37, true).to(dtype);
    problem.student.bias_V[36] = std::nan("");
    const Loss loss = cross_entropy_loss(problem.student_MD, problem.student, targets(), 7);
    EXPECT_TRUE(std::isnan(loss.value.item<double>()));
  }
}

}  // namespace
}  // namespace alambic::cross_entropy_test
