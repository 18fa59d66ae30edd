// Divergences and cross-entropy of rows of logits are those of their definitions in double.
#include <cmath>
#include <limits>

#include "alambic/objective/divergence_ref.h"
#include "tests/cuda/memory.h"

namespace alambic::logit_rows_test {
namespace {

using namespace alambic::test;
using reference::Row;

struct Rows {
  int64_t count, V, stride = (V + 15) / 16 * 16;
  double spread = 3;
  std::vector<Row> student = make(1), teacher = make(2);

  std::vector<Row> make(unsigned seed) const {
    std::vector<Row> rows;
    for (int64_t r = 0; r < count; ++r) {
      Row row = normal(V, 10 * seed + r, spread);
      for (double& z : row) z = static_cast<float>(z);
      rows.push_back(row);
    }
    return rows;
  }
  Memory<float> memory(const std::vector<Row>& rows) const {
    std::vector<float> numbers(count * stride, NAN);  // what lies between rows is not read
    for (int64_t r = 0; r < count; ++r) {
      std::copy(rows[r].begin(), rows[r].end(), numbers.begin() + r * stride);
    }
    return Memory<float>(numbers);
  }
  Row gradient_of(const std::vector<float>& numbers, int64_t r) const {
    return {numbers.begin() + r * stride, numbers.begin() + r * stride + V};
  }
};

struct Found {
  std::vector<double> total;
  std::vector<float> gradient;
};

Found divergence(const Rows& rows, std::vector<WeightedTerm> terms, double temperature,
                 double weight = 1, double softcap = 0) {
  Found found;
  Memory<float> teacher = rows.memory(rows.teacher);
  found.gradient = in_both_orders([&] {
    Memory<float> student = rows.memory(rows.student);
    Memory<double> sums(rows.count * 6), total(std::vector<double>(6, 0));
    DeviceDivergence job = {.student = student.data(),
                            .teacher = teacher.data(),
                            .rows = rows.count,
                            .vocabulary = rows.V,
                            .stride = rows.stride,
                            .terms = {},
                            .term_count = static_cast<int>(terms.size()),
                            .temperature = temperature,
                            .weight = weight,
                            .softcap = softcap,
                            .gradient = true,
                            .sums = sums.data(),
                            .total = total.data()};
    std::copy(terms.begin(), terms.end(), job.terms);
    rows_under_test().divergence(job, nullptr);
    found.total = total.values();
    return student.values();
  });
  return found;
}

double parameter_of(DivergenceKind kind, double parameter, double temperature, const Row& student,
                    const Row& teacher) {
  return kind == DivergenceKind::akl
             ? reference::head_share(reference::log_softmax(student, temperature),
                                     reference::log_softmax(teacher, temperature))
             : parameter;
}

TEST(DeviceDivergence, EveryKindIsItsDefinitionWithItsGradient) {
  for (const DivergenceInfo& info : divergence_infos()) {
    for (const double T : {1.0, 2.5}) {
      const Rows rows{.count = T == 1 ? 2 : 1, .V = 517};
      const double power = std::pow(T, info.temperature_power);
      const Found found = divergence(rows, {{info.kind, 0.3, power, power / T}}, T, 0.5);
      double value = 0;
      for (int64_t r = 0; r < rows.count; ++r) {
        const double parameter = parameter_of(info.kind, 0.3, T, rows.student[r], rows.teacher[r]);
        const auto at = [&](const Row& student) {
          return reference::divergence(info.kind, parameter, T, student, rows.teacher[r]);
        };
        value += at(rows.student[r]);
        const Row gradient = rows.gradient_of(found.gradient, r);
        for (int64_t v = 0; v < rows.V; v += 41) {
          Row above = rows.student[r], below = rows.student[r];
          above[v] += 1e-5;
          below[v] -= 1e-5;
          EXPECT_NEAR(gradient[v], 0.5 * (at(above) - at(below)) / 2e-5, 1e-6)
              << info.name << " row " << r << " token " << v;
        }
      }
      EXPECT_NEAR(found.total[0], value, 1e-5 * value) << info.name;
    }
  }
}

TEST(DeviceDivergence, TermsAddUpAndWhatIsReportedIsThere) {
  const Rows rows{.count = 3, .V = 700};
  const Found found = divergence(
      rows, {{DivergenceKind::forward_kl, 0, 0.25, 1}, {DivergenceKind::jsd, 0.1, 2, 1}}, 1);
  std::vector<double> expected(6);
  for (int64_t r = 0; r < rows.count; ++r) {
    const Row log_q = reference::log_softmax(rows.student[r]);
    const Row log_p = reference::log_softmax(rows.teacher[r]);
    expected[0] += 0.25 * reference::kl(log_p, log_q) +
                   2 * reference::distance(DivergenceKind::jsd, 0.1, log_q, log_p);
    expected[1] += reference::kl(log_q, log_p);
    expected[2] += reference::kl(log_p, log_q);
    expected[3] += reference::entropy(log_q);
    expected[4] += reference::entropy(log_p);
    expected[5] += std::ranges::max_element(log_q) - log_q.begin() ==
                   std::ranges::max_element(log_p) - log_p.begin();
  }
  EXPECT_LT(error(found.total, expected), 1e-6);
}

TEST(DeviceDivergence, EqualRowsHaveNoneAndPullNowhere) {
  Rows rows{.count = 1, .V = 1030};
  rows.teacher = rows.student;
  for (const DivergenceInfo& info : divergence_infos()) {
    const Found found = divergence(rows, {{info.kind, 0.3, 1, 1}}, 1);
    EXPECT_EQ(found.total[0], 0) << info.name;
    for (const double g : rows.gradient_of(found.gradient, 0)) EXPECT_NEAR(g, 0, 1e-9);
  }
}

TEST(DeviceDivergence, CloseRowsKeepTheirDigits) {
  Rows rows{.count = 1, .V = 600};
  rows.teacher = rows.student;
  for (size_t v = 0; v < rows.teacher[0].size(); ++v) {
    rows.teacher[0][v] = static_cast<float>(rows.teacher[0][v] + 1e-3 * std::sin(3.0 * v));
  }
  const Found found = divergence(rows, {{DivergenceKind::reverse_kl, 0, 1, 1}}, 1);
  const double expected = reference::divergence(DivergenceKind::reverse_kl, 0, 1, rows.student[0],
                                                rows.teacher[0]);  // about 2e-7
  EXPECT_NEAR(found.total[0], expected, 2e-3 * expected);
}

TEST(DeviceDivergence, SoftCapAndWhatIsNotFinite) {
  Rows rows{.count = 1, .V = 64};
  const auto plain = divergence(rows, {{DivergenceKind::reverse_kl, 0, 1, 1}}, 1).gradient;
  const auto capped = divergence(rows, {{DivergenceKind::reverse_kl, 0, 1, 1}}, 1, 1, 20).gradient;
  for (int64_t v = 0; v < rows.V; ++v) {
    const double z = rows.student[0][v];
    EXPECT_NEAR(capped[v], plain[v] * (1 - z * z / 400), 1e-7);
  }
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    rows.teacher[0][9] = bad;
    for (const DivergenceInfo& info : divergence_infos()) {
      EXPECT_FALSE(std::isfinite(divergence(rows, {{info.kind, 0.3, 1, 1}}, 1).total[0]))
          << info.name << bad;
    }
  }
}

TEST(DeviceCrossEntropy, IsItsDefinitionWithItsGradient) {
  const Rows rows{.count = 3, .V = 519};
  Memory<int64_t> targets(std::vector<int64_t>{518, 0, rows.V});  // the last one is no token
  Memory<double> value(3), agreement(3);
  const double T = 1.5;
  const auto gradient = in_both_orders([&] {
    Memory<float> logits = rows.memory(rows.student);
    rows_under_test().cross_entropy({.logits = logits.data(),
                                     .targets = targets.data(),
                                     .rows = 3,
                                     .vocabulary = rows.V,
                                     .stride = rows.stride,
                                     .temperature = T,
                                     .weight = 0.25,
                                     .softcap = 0,
                                     .gradient = true,
                                     .cross_entropy = value.data(),
                                     .agreement = agreement.data()},
                                    nullptr);
    return logits.values();
  });
  for (int64_t r = 0; r < 2; ++r) {
    const int64_t target = targets.values()[r];
    const Row log_q = reference::log_softmax(rows.student[r], T);
    EXPECT_NEAR(value.values()[r], -log_q[target], 1e-6);
    const Row found = rows.gradient_of(gradient, r);
    for (int64_t v = 0; v < rows.V; ++v) {
      EXPECT_NEAR(found[v], 0.25 * (std::exp(log_q[v]) - (v == target)), 1e-7);
    }
  }
  EXPECT_TRUE(std::isnan(value.values()[2]));
}

TEST(DeviceCrossEntropy, NearCertaintyTheGradientHasDigitsAndAgreementIsTold) {
  Rows rows{.count = 1, .V = 32};
  rows.student[0].assign(32, 0);
  rows.student[0][7] = 20;
  Memory<int64_t> targets(std::vector<int64_t>{7});
  Memory<double> value(1), agreement(1);
  Memory<float> logits = rows.memory(rows.student);
  rows_under_test().cross_entropy({.logits = logits.data(),
                                   .targets = targets.data(),
                                   .rows = 1,
                                   .vocabulary = 32,
                                   .stride = rows.stride,
                                   .temperature = 1,
                                   .weight = 1,
                                   .softcap = 0,
                                   .gradient = true,
                                   .cross_entropy = value.data(),
                                   .agreement = agreement.data()},
                                  nullptr);
  EXPECT_EQ(agreement.values()[0], 1);
  const double rest = 31 * std::exp(-20.0) / (1 + 31 * std::exp(-20.0));
  EXPECT_NEAR(logits.values()[7], -rest, 1e-4 * rest);
}

}  // namespace
}  // namespace alambic::logit_rows_test
