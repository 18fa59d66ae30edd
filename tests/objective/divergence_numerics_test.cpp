// The row kernel at the edges of float32.
#include <gtest/gtest.h>

#include <random>

#include "alambic/objective/divergence_cpu.h"
#include "problem.h"

namespace alambic::divergence_numerics_test {
namespace {

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

double head_share(const Rows& rows) {
  return reference::head_share(reference::log_softmax(rows.student),
                               reference::log_softmax(rows.teacher));
}

double shared(const DivergenceTerm& term, double share) {
  return term.kind == DivergenceKind::akl ? share : term.parameter;
}

/// Row kernels know no ends: jsd with 0 < beta < 1.
std::vector<DivergenceTerm> every_kind() {
  return {{DivergenceKind::forward_kl},
          {DivergenceKind::reverse_kl},
          {DivergenceKind::jsd, 0.01},
          {DivergenceKind::jsd, 0.5},
          {DivergenceKind::jsd, 0.99},
          {DivergenceKind::skew_kl, 0.1},
          {DivergenceKind::skew_reverse_kl, 0.1},
          {DivergenceKind::skew_kl, 0.9},
          {DivergenceKind::tvd},
          {DivergenceKind::akl}};
}

// Bug: one of the kernel's ranges (series, exponential, far tails) is off, or one of its
// instruction sets.
TEST(DivergenceNumerics, EveryKernelIsAccurateForEveryDistanceOfTheLogits) {
  constexpr int64_t vocabulary = 100;
  for (const DivergenceKernel kernel : divergence_kernels()) {
    for (const double spread : {0.0, 1e-4, 1e-2, 0.1, 1.0, 5.0, 30.0, 300.0}) {
      for (const DivergenceTerm& term : every_kind()) {
        const Rows rows = rows_apart(vocabulary, spread);
        alignas(64) float student[112];
        alignas(64) float teacher[112];
        std::copy(rows.student.begin(), rows.student.end(), student);
        std::copy(rows.teacher.begin(), rows.teacher.end(), teacher);
        const DivergenceRow row{.vocabulary = vocabulary,
                                .terms = {{term.kind, term.parameter, 1, 1}},
                                .temperature = 1,
                                .weight = 1,
                                .softcap = 0,
                                .gradient = true};
        const double value = kernel(row, student, teacher).value;
        const double share = head_share(rows);
        const auto distance = [&](const Rows& at) {
          return reference::divergence(term.kind, shared(term, share), 1, at.student, at.teacher);
        };
        const double expected = distance(rows);
        // Logits are known to about 1e-7: so is the logarithm of the ratio, which TVD averages and
        // whose square is the KL.
        const double known =
            term.kind == DivergenceKind::tvd ? 1e-7 : 1e-7 * std::sqrt(std::max(expected, 0.0));
        EXPECT_NEAR(value, expected, 2e-5 * expected + known + 1e-15)
            << "spread " << spread << ", " << info_of(term.kind).name << term.parameter;
        if (spread < 1e-2) continue;
        double largest = 0, worst = 0;
        for (const int64_t v : {0, 1, 15, 16, 50, 99}) {
          Rows above = rows, below = rows;
          above.student[v] += 1e-5;
          below.student[v] -= 1e-5;
          const double slope = (distance(above) - distance(below)) / 2e-5;
          largest = std::max(largest, std::abs(slope));
          worst = std::max(worst, std::abs(slope - student[v]));
        }
        EXPECT_LT(worst, 2e-5 * largest + 1e-8)
            << "spread " << spread << ", " << info_of(term.kind).name << term.parameter;
      }
    }
  }
}

}  // namespace
}  // namespace alambic::divergence_numerics_test
