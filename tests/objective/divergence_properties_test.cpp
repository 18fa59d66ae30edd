#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "problem.h"

namespace alambic {
namespace {

/// One row whose logits are given: width 1, hidden state 1.
Problem one_row(const std::vector<double>& student, const std::vector<double>& teacher) {
  const auto column = [](const std::vector<double>& values) {
    return at::tensor(values, at::kDouble).unsqueeze(1);
  };
  const Tensor one = at::ones({1, 1}, at::kDouble);
  return {one,
          {.weight_VD = column(student)},
          {.hidden_MD = one, .head = {.weight_VD = column(teacher)}}};
}

double loss_of(const Problem& problem, const Divergence& divergence) {
  return measure_divergence(divergence, problem.student_MD, problem.student, problem.judgement)
      .value.item<double>();
}

// Bug: beta counted from the other end (KDFlow), the mixture swapped (TRL before March 2025).
// q = (0.8, 0.2), p = (0.3, 0.7); by hand:
//   KL(p‖q) = 0.3·ln(0.3/0.8) + 0.7·ln(0.7/0.2)            = 0.5826847
//   KL(q‖p) = 0.8·ln(0.8/0.3) + 0.2·ln(0.2/0.7)            = 0.5341108
//   beta = 0.1: m = (0.75, 0.25), 0.1·KL(p‖m) + 0.9·KL(q‖m) = 0.0508866
TEST(DivergenceBeta, ZeroIsForwardOneIsReverseAndTheTeacherHasWeightBeta) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem =
        one_row({std::log(0.8), std::log(0.2)}, {std::log(0.3), std::log(0.7)}).to(dtype);
    EXPECT_NEAR(loss_of(problem, generalised_jsd(0)), 0.5826847, 1e-6);
    EXPECT_NEAR(loss_of(problem, generalised_jsd(1)), 0.5341108, 1e-6);
    EXPECT_NEAR(loss_of(problem, generalised_jsd(0.1)), 0.0508866, 1e-6);
  }
}

// Bug: T once instead of twice. At T = 2 logits (4, 0) and (0, 2) become (2, 0) and (0, 1):
// 4·KL((0.2689414, 0.7310586) ‖ (0.8807971, 0.1192029)) = 4·1.0066205
TEST(DivergenceTemperature, DividesTheLogitsAndMultipliesByItsSquare) {
  const double q = 1 / (1 + std::exp(-2.0)), p = 1 / (1 + std::exp(1.0));
  const double kl = p * std::log(p / q) + (1 - p) * std::log((1 - p) / (1 - q));
  EXPECT_NEAR(loss_of(one_row({4, 0}, {0, 2}), generalised_jsd(0, 2)), 4 * kl, 1e-12);
}

// Bug: the mixture formed from logarithms (TRL before October 2024) breaks both.
TEST(DivergenceJensenShannon, IsSymmetricAtOneHalfAndAtMostLogTwo) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(5, 40).to(dtype);
    const Problem swapped{problem.judgement.hidden_MD,
                          problem.judgement.head,
                          {.hidden_MD = problem.student_MD, .head = problem.student}};
    EXPECT_NEAR(loss_of(problem, generalised_jsd(0.5)), loss_of(swapped, generalised_jsd(0.5)),
                1e-5);
    const Problem far = one_row({100, 0, 0}, {0, 100, 0}).to(dtype);
    EXPECT_NEAR(loss_of(far, generalised_jsd(0.5)), std::log(2), 1e-6);
    EXPECT_LE(loss_of(far, generalised_jsd(0.5)), std::log(2) + 1e-6);
  }
}

// Bug: a jump where code switches to the plain KLs: D / (beta·(1 − beta)) must be continuous.
TEST(DivergenceJensenShannon, ApproachesThePlainDivergencesAtItsEnds) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(5, 40).to(dtype);
    const double beta = 1e-5;
    const double forward = loss_of(problem, generalised_jsd(0)),
                 reverse = loss_of(problem, generalised_jsd(1));
    EXPECT_NEAR(loss_of(problem, generalised_jsd(beta)) / beta, forward, 0.02 * forward);
    EXPECT_NEAR(loss_of(problem, generalised_jsd(1 - beta)) / beta, reverse, 0.02 * reverse);
  }
}

// Bug: the policy gradient of a sampled estimator is not that of the exact divergence. Enumerated:
// ∇KL(q‖p) = Σ_v q_v·(log q_v − log p_v)·∇log q_v, with ∇log q_v = 1_v − q.
TEST(DivergenceReverse, ItsGradientIsTheExpectationOverEverySampledToken) {
  const Problem problem = one_row({0.3, -1, 2}, {1, 0.5, -0.2});
  const auto log_q = reference::log_softmax({0.3, -1, 2});
  const auto log_p = reference::log_softmax({1, 0.5, -0.2});
  double expected[3] = {};
  for (int sampled = 0; sampled < 3; ++sampled) {
    const double reward = log_q[sampled] - log_p[sampled];
    for (int v = 0; v < 3; ++v) {
      expected[v] += std::exp(log_q[sampled]) * reward * ((v == sampled) - std::exp(log_q[v]));
    }
  }
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Gradients gradients = differentiate(problem.to(dtype), generalised_jsd(1));
    for (int v = 0; v < 3; ++v) {
      EXPECT_NEAR(gradients.weight_VD[v].item<double>(), expected[v], 1e-6);
    }
  }
}

// Bug: a broken forward reported as a small loss, and the step taken.
TEST(Divergence, ANanOrInfinityAnywhereMakesTheLossNonFinite) {
  const double nan = std::nan(""), inf = INFINITY;
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    for (const double bad : {nan, -nan, inf}) {
      for (const int64_t at : {0, 5, 39}) {
        for (const double beta : {0.0, 0.5, 1.0}) {
          Problem student = random_problem(5, 40, true).to(dtype);
          student.student.bias_V[at] = bad;
          EXPECT_FALSE(std::isfinite(loss_of(student, generalised_jsd(beta))))
              << bad << " at " << at;
          Problem teacher = random_problem(5, 40, true).to(dtype);
          teacher.judgement.hidden_MD[at % 5][2] = bad;
          EXPECT_FALSE(std::isfinite(loss_of(teacher, generalised_jsd(beta))))
              << bad << " at " << at;
        }
      }
    }
  }
}

// Bug: exp of a huge logit, or log of a probability that rounded to 0.
TEST(Divergence, HugeLogitsStayFinite) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = one_row({1e4, -1e4, 0}, {-1e4, 1e4, 50}).to(dtype);
    for (const double beta : {0.0, 0.5, 1.0}) {
      const Gradients gradients = differentiate(problem, generalised_jsd(beta));
      const double expected = beta == 0.5 ? std::log(2) : 2e4;
      EXPECT_NEAR(gradients.value, expected, 1e-5 * expected);
      EXPECT_TRUE(gradients.weight_VD.isfinite().all().item<bool>());
    }
  }
}

// Bug: the teacher is trained too, or a frozen head pays for a gradient.
TEST(Divergence, OnlyWhatRequiresAGradientGetsOne) {
  Problem problem = random_problem();
  problem.judgement.hidden_MD.requires_grad_();
  const Tensor hidden = problem.student_MD.detach().requires_grad_();
  divergence_loss({}, hidden, problem.student, problem.judgement, 1).value.backward();
  EXPECT_TRUE(hidden.grad().defined());
  EXPECT_FALSE(problem.judgement.hidden_MD.grad().defined());
  EXPECT_FALSE(problem.student.weight_VD.grad().defined());
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

// Bug: phantom mass on the padding of a vocabulary (Liger, ms-swift).
TEST(Divergence, ACutVocabularyIsNormalisedOverItsOwnTokens) {
  const Problem whole = random_problem(4, 40, true);
  Problem cut = whole;
  cut.student = whole.student.cut(33);
  cut.judgement.head = whole.judgement.head.cut(33);
  const double expected = cut.reference_sum(generalised_jsd(1));
  EXPECT_NEAR(loss_of(cut, generalised_jsd(1)), expected, 1e-10 * expected);
  EXPECT_NEAR(loss_of(cut.to(at::kFloat), generalised_jsd(1)), expected, 1e-5 * expected);
}

}  // namespace
}  // namespace alambic
