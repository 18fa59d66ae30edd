// The row kernel at the edges of float32.
#include <gtest/gtest.h>

#include <random>

#include "alambic/objective/divergence_cpu.h"
#include "problem.h"

namespace alambic {
namespace {

// Bug: Σ p·(log p − log q) in float32 is rounding noise late in training (performance.md §3.4).
TEST(DivergenceNumerics, KeepsThreeDigitsOfAKlNearFiveInAHundredThousand) {
  constexpr int64_t vocabulary = 50000;
  at::manual_seed(1);
  const Tensor student = at::randn({1, vocabulary}) * 3;
  const Tensor teacher = student + at::randn({1, vocabulary}) * 0.01;
  const Tensor one = at::ones({1, 1});
  const Problem problem{one, {.weight_VD = student.t()}, {one, {.weight_VD = teacher.t()}}};
  for (const double beta : {0.0, 0.5, 1.0}) {
    const double expected = problem.reference_sum({beta, 1});
    EXPECT_GT(expected, 5e-6);
    EXPECT_LT(expected, 1e-4);
    const Loss loss = measure_divergence({beta, 1}, one, problem.student, problem.judgement);
    EXPECT_NEAR(loss.value.item<double>(), expected, 1e-3 * expected);
  }
}

struct Rows {
  std::vector<double> student, teacher;
};

/// Student logits of a few units, the teacher's `spread` away.
Rows rows_apart(int64_t vocabulary, double spread) {
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  Rows rows;
  for (int64_t v = 0; v < vocabulary; ++v) {
    const float z = 2 * normal(generator);
    rows.student.push_back(z);
    rows.teacher.push_back(z + static_cast<float>(spread) * normal(generator));
    rows.teacher.back() = static_cast<float>(rows.teacher.back());
  }
  return rows;
}

// Bug: one of the kernel's ranges (series, exponential, far tails) is off, or one of its
// instruction sets.
TEST(DivergenceNumerics, EveryKernelIsAccurateForEveryDistanceOfTheLogits) {
  constexpr int64_t vocabulary = 100;
  for (const DivergenceKernel kernel : divergence_kernels()) {
    for (const double spread : {0.0, 1e-4, 1e-2, 0.1, 1.0, 5.0, 30.0, 300.0}) {
      for (const double beta : {0.0, 0.01, 0.5, 0.99, 1.0}) {
        const Rows rows = rows_apart(vocabulary, spread);
        alignas(64) float student[112];
        alignas(64) float teacher[112];
        std::copy(rows.student.begin(), rows.student.end(), student);
        std::copy(rows.teacher.begin(), rows.teacher.end(), teacher);
        const DivergenceRow row{.vocabulary = vocabulary,
                                .beta = beta,
                                .temperature = 1,
                                .weight = 1,
                                .softcap = 0,
                                .gradient = true};
        const double value = kernel(row, student, teacher).value;
        const double expected = reference::divergence(beta, 1, rows.student, rows.teacher);
        // Logits are known to about 1e-7: so is the logarithm of the ratio, whose square is the KL.
        EXPECT_NEAR(value, expected, 2e-5 * expected + 1e-7 * std::sqrt(expected))
            << "spread " << spread << ", beta " << beta;
        if (spread < 1e-2) continue;
        double largest = 0, worst = 0;
        for (const int64_t v : {0, 1, 15, 16, 50, 99}) {
          Rows above = rows, below = rows;
          above.student[v] += 1e-5;
          below.student[v] -= 1e-5;
          const double slope = (reference::divergence(beta, 1, above.student, above.teacher) -
                                reference::divergence(beta, 1, below.student, below.teacher)) /
                               2e-5;
          largest = std::max(largest, std::abs(slope));
          worst = std::max(worst, std::abs(slope - student[v]));
        }
        EXPECT_LT(worst, 2e-5 * largest + 1e-8) << "spread " << spread << ", beta " << beta;
      }
    }
  }
}

// Bug: sums in the order in which threads finish.
TEST(DivergenceNumerics, TwoRunsGiveTheSameBits) {
  const Problem problem = random_problem(64, 500, true).to(at::kFloat);
  const Gradients first = differentiate(problem, {0.5, 1});
  const Gradients second = differentiate(problem, {0.5, 1});
  EXPECT_EQ(first.value, second.value);
  EXPECT_TRUE(at::equal(first.weight_VD, second.weight_VD));
  EXPECT_TRUE(at::equal(first.hidden_MD, second.hidden_MD));
}

}  // namespace
}  // namespace alambic
