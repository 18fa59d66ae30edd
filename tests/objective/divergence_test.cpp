// The fused loss against its definition in scalar loops, and its gradients against differences of
// that definition.
#include "alambic/objective/divergence.h"

#include <gtest/gtest.h>

#include "problem.h"

namespace alambic {
namespace {

struct Case {
  std::string name;
  Divergence divergence;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

/// Every divergence at two temperatures, a weighted sum, and all of them over buckets.
std::vector<Case> cases() {
  using enum DivergenceKind;
  const std::vector<std::pair<std::string, std::vector<DivergenceTerm>>> objectives = {
      {"jsd0", {{jsd, 0}}},
      {"jsd1", {{jsd, 0.1}}},
      {"jsd5", {{jsd, 0.5}}},
      {"jsd9", {{jsd, 0.9}}},
      {"jsd10", {{jsd, 1}}},
      {"forward_kl", {{forward_kl}}},
      {"reverse_kl", {{reverse_kl}}},
      {"skew_kl", {{skew_kl, 0.1}}},
      {"skew_kl9", {{skew_kl, 0.9}}},
      {"skew_reverse_kl", {{skew_reverse_kl, 0.1}}},
      {"skew_reverse_kl9", {{skew_reverse_kl, 0.9}}},
      {"skew_kl0", {{skew_kl, 0}}},
      {"skew_reverse_kl0", {{skew_reverse_kl, 0}}},
      {"tvd", {{tvd}}},
      {"akl", {{akl}}},
      {"sum", {{reverse_kl, 0, 0.5}, {tvd, 0, 0.3}, {jsd, 0.2, 0.2}}}};
  std::vector<Case> result;
  for (const auto& [name, terms] : objectives) {
    for (const double T : {1.0, 2.5}) {
      const std::string suffix = T == 1 ? "" : "_hot";
      result.push_back({name + suffix, {.terms = terms, .kd_temperature = T}});
      for (const TopKBy by : {TopKBy::teacher, TopKBy::student, TopKBy::both}) {
        const char* who[] = {"teacher", "student", "both"};
        result.push_back({name + suffix + "_top4_" + who[static_cast<int>(by)],
                          {.terms = terms, .kd_temperature = T, .topk = 4, .topk_by = by}});
      }
    }
  }
  return result;
}

class EveryDivergence : public testing::TestWithParam<Case> {
 protected:
  const Divergence& divergence() const { return GetParam().divergence; }
};

INSTANTIATE_TEST_SUITE_P(All, EveryDivergence, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

// Bug: teacher and student swapped, beta inverted, T² missing.
TEST_P(EveryDivergence, EqualsTheDefinitionInFloat64) {
  const Problem problem = random_problem();
  const double expected = problem.reference_sum(divergence()) / 3;
  const Loss loss =
      divergence_loss(divergence(), problem.student_MD, problem.student, problem.judgement, 3);
  EXPECT_NEAR(loss.value.item<double>(), expected, 1e-10 * expected);
}

// Bug: a lane of padding counted, a polynomial wrong in one range (V is no multiple of 16).
TEST_P(EveryDivergence, EqualsTheDefinitionInFloat32) {
  for (const int64_t vocabulary : {1, 2, 15, 16, 17, 37, 1500}) {
    const Problem problem = random_problem(3, vocabulary).to(at::kFloat);
    const double expected = problem.reference_sum(divergence()) / 3;
    const Loss loss =
        divergence_loss(divergence(), problem.student_MD, problem.student, problem.judgement, 3);
    EXPECT_EQ(loss.value.scalar_type(), at::kFloat);
    EXPECT_NEAR(loss.value.item<double>(), expected, 3e-6 * expected) << "V = " << vocabulary;
  }
}

// Bug: a wrong gradient goes down too; autograd cannot tell.
TEST_P(EveryDivergence, GradientsAreTheDefinitionsDifferences) {
  const Problem problem = random_problem(3, 11, true);
  Problem frozen = problem;
  frozen.student_MD = problem.student_MD.clone();
  frozen.student.weight_VD = problem.student.weight_VD.clone();
  frozen.student.bias_V = problem.student.bias_V.clone();
  const auto value = [&] { return problem.reference_sum(divergence(), frozen) / 2; };
  const Gradients gradients = differentiate(problem, divergence(), 2);
  const Tensor hidden = finite_differences(problem.student_MD, value);
  const Tensor weight = finite_differences(problem.student.weight_VD, value);
  const Tensor bias = finite_differences(problem.student.bias_V, value);
  EXPECT_LT(relative_difference(gradients.hidden_MD, hidden), 2e-8);
  EXPECT_LT(relative_difference(gradients.weight_VD, weight), 2e-8);
  EXPECT_LT(relative_difference(gradients.bias_V, bias), 2e-8);
}

// Bug: the row kernel's gradient differs from the formulas (mean, weight, softcap factor).
TEST_P(EveryDivergence, GradientsInFloat32AreThoseInFloat64) {
  Problem wide = random_problem(9, 333, true);
  wide.student.softcap = wide.judgement.head.softcap = 5;
  wide.student.scale = 0.7;
  const Gradients expected = differentiate(wide, divergence(), 9);
  const Gradients found = differentiate(wide.to(at::kFloat), divergence(), 9);
  EXPECT_LT(relative_difference(found.hidden_MD, expected.hidden_MD), 1e-5);
  EXPECT_LT(relative_difference(found.weight_VD, expected.weight_VD), 1e-5);
  EXPECT_LT(relative_difference(found.bias_V, expected.bias_V), 1e-5);
}

// Bug: a perfect student is pushed away (Liger with padded vocabulary: loss 0.186).
TEST_P(EveryDivergence, AStudentEqualToItsTeacherHasNoLossAndNoGradient) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    Problem problem = random_problem(7, 300, true).to(dtype);
    problem.judgement = {.hidden_MD = problem.student_MD, .head = problem.student};
    const Gradients gradients = differentiate(problem, divergence());
    EXPECT_EQ(gradients.value, 0);
    EXPECT_LE(gradients.hidden_MD.abs().max().item<double>(), 1e-7);
    EXPECT_LE(gradients.weight_VD.abs().max().item<double>(), 1e-7);
  }
}

// Bug: a chunk is skipped, counted twice, or overwrites the weight's gradient.
TEST_P(EveryDivergence, TheChunkSizeChangesNothing) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(7, 50, true).to(dtype);
    const Gradients whole = differentiate(problem, divergence(), 7, {.rows = 7});
    for (const int64_t rows : {1, 2, 3, 100}) {
      const Gradients found = differentiate(problem, divergence(), 7, {.rows = rows});
      EXPECT_NEAR(found.value, whole.value, 1e-6 * whole.value);
      EXPECT_LT(relative_difference(found.hidden_MD, whole.hidden_MD), 1e-6);
      EXPECT_LT(relative_difference(found.weight_VD, whole.weight_VD), 1e-6);
      EXPECT_LT(relative_difference(found.bias_V, whole.bias_V), 1e-6);
    }
  }
}

// Bug: the mean over a micro-batch instead of the step (TRL, verl: gradients scale with the split).
TEST_P(EveryDivergence, MicroBatchesSumToTheWhole) {
  const Problem problem = random_problem(7, 50).to(at::kFloat);
  const Gradients whole = differentiate(problem, divergence(), 7);
  const Gradients first = differentiate(problem.rows(0, 2), divergence(), 7);
  const Gradients second = differentiate(problem.rows(2, 5), divergence(), 7);
  EXPECT_NEAR(first.value + second.value, whole.value, 1e-6 * whole.value);
  EXPECT_LT(relative_difference(first.weight_VD + second.weight_VD, whole.weight_VD), 1e-6);
  EXPECT_LT(relative_difference(at::cat({first.hidden_MD, second.hidden_MD}), whole.hidden_MD),
            1e-6);
}

// Bug: a constant in one model's logits (a bias, another framework's padding) moves the loss.
TEST_P(EveryDivergence, AConstantAddedToAllLogitsChangesNothing) {
  const Problem problem = random_problem(7, 50, true).to(at::kFloat);
  Problem shifted = problem;
  shifted.student.bias_V = problem.student.bias_V + 3;
  shifted.judgement.head.bias_V = problem.judgement.head.bias_V - 5;
  const Gradients expected = differentiate(problem, divergence());
  const Gradients found = differentiate(shifted, divergence());
  EXPECT_NEAR(found.value, expected.value, 1e-5 * expected.value);
  EXPECT_LT(relative_difference(found.hidden_MD, expected.hidden_MD), 1e-5);
}

// Bug: Σ q·(x − mean) ≠ 0 drifts all logits together.
TEST_P(EveryDivergence, TheGradientOfARowsLogitsSumsToZero) {
  const Problem problem = random_problem(7, 1000, true).to(at::kFloat);
  const Gradients gradients = differentiate(problem, divergence());
  const double size = gradients.bias_V.abs().sum().item<double>();
  EXPECT_LT(std::abs(gradients.bias_V.sum().item<double>()), 1e-6 * size);
}

// Bug: soft-cap (Gemma 2) or scale (Cohere) left out of the logits or of the chain rule.
TEST(Divergence, SoftCapAndScaleBelongToTheLogits) {
  Problem problem = random_problem(3, 11, true);
  problem.student.softcap = 2;
  problem.student.scale = 0.5;
  problem.judgement.head.softcap = 3;
  problem.judgement.head.scale = 1.5;
  for (const double beta : {0.0, 0.3, 1.0}) {
    const Divergence divergence = generalised_jsd(beta, 1.5);
    const auto value = [&] { return problem.reference_sum(divergence); };
    const Gradients gradients = differentiate(problem, divergence);
    EXPECT_NEAR(gradients.value, value(), 1e-10 * value());
    EXPECT_LT(
        relative_difference(gradients.hidden_MD, finite_differences(problem.student_MD, value)),
        1e-8);
    EXPECT_LT(relative_difference(gradients.weight_VD,
                                  finite_differences(problem.student.weight_VD, value)),
              1e-8);
  }
}

// Bug: a metric reported from the other side, or at another temperature than the loss.
TEST(Divergence, ReportsSumsOfItsRows) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(6, 40).to(dtype);
    double reverse = 0, forward = 0, student_entropy = 0, teacher_entropy = 0, agreement = 0;
    for (int64_t m = 0; m < 6; ++m) {
      const auto s = logits_of(problem.student_MD[m], problem.student);
      const auto t = logits_of(problem.judgement.hidden_MD[m], problem.judgement.head);
      const auto log_q = reference::log_softmax(s, 2), log_p = reference::log_softmax(t, 2);
      reverse += reference::kl(log_q, log_p);
      forward += reference::kl(log_p, log_q);
      student_entropy += reference::entropy(log_q);
      teacher_entropy += reference::entropy(log_p);
      agreement += std::max_element(s.begin(), s.end()) - s.begin() ==
                   std::max_element(t.begin(), t.end()) - t.begin();
    }
    for (const double beta : {0.0, 0.4, 1.0}) {
      const Loss loss = measure_divergence(generalised_jsd(beta, 2), problem.student_MD,
                                           problem.student, problem.judgement, {.rows = 4});
      EXPECT_NEAR(loss.sums.at("reverse_kl"), reverse, 1e-5);
      EXPECT_NEAR(loss.sums.at("forward_kl"), forward, 1e-5);
      EXPECT_NEAR(loss.sums.at("student_entropy"), student_entropy, 1e-5);
      EXPECT_NEAR(loss.sums.at("teacher_entropy"), teacher_entropy, 1e-5);
      EXPECT_EQ(loss.sums.at("agreement"), agreement);
      EXPECT_FALSE(loss.value.requires_grad());
    }
  }
}

}  // namespace
}  // namespace alambic
