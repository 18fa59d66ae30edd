#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "alambic/base/random.h"
#include "alambic/kernels/cpu.h"

namespace alambic::kernels::token_weights_test {
namespace {

constexpr int64_t blocks = 3, size = blocks * token_block;

// Falling over 120 units, so that some weights are below the smallest that is kept.
std::vector<float> logits() {
  std::vector<float> row(size);
  for (int64_t i = 0; i < size; ++i) {
    row[i] = static_cast<float>(-120 * uniform({.seed = 5, .sample = static_cast<uint64_t>(i)}));
  }
  row[700] = 0;
  return row;
}

double weight(float logit, double inverse_temperature) {
  const double x = logit * inverse_temperature;
  return x < -87 ? 0 : std::exp(x);
}

class TokenWeights : public testing::TestWithParam<const CpuTable*> {};

// Bugs: an exponential that is taken apart and put together wrongly, a vector left out of a sum, an
// instruction set that draws other tokens than the rest.
TEST_P(TokenWeights, EqualTheirDefinition) {
  for (const float inverse_temperature : {1.0f, 0.4f, 2.5f}) {
    const std::vector<float> row = logits();
    std::vector<float> weights = row;
    GetParam()->token_weights(weights.data(), size / token_columns, 0, inverse_temperature);
    std::vector<double> sums(blocks), expected(blocks);
    GetParam()->block_weights(row.data(), blocks, 0, inverse_temperature, sums.data());
    for (int64_t i = 0; i < size; ++i) {
      const double exact = weight(row[i], inverse_temperature);
      // The product of logit and temperature is rounded: the error grows with its size.
      const double tolerance = 2e-7 + 1e-7 * std::abs(row[i] * inverse_temperature);
      ASSERT_NEAR(weights[i] / std::max(exact, 1e-38), exact > 0 ? 1 : 0, tolerance) << row[i];
      expected[i / token_block] += exact;
    }
    for (int64_t b = 0; b < blocks; ++b) EXPECT_NEAR(sums[b] / expected[b], 1, 5e-6) << b;
  }
}

TEST_P(TokenWeights, FindTheLargestOfEveryColumn) {
  std::vector<float> row = logits(), maxima(blocks * token_columns);
  EXPECT_TRUE(GetParam()->column_maxima(row.data(), blocks, maxima.data()));
  for (int64_t b = 0; b < blocks; ++b) {
    for (int64_t column = 0; column < token_columns; ++column) {
      float largest = -INFINITY;
      for (int64_t i = column; i < token_block; i += token_columns) {
        largest = std::max(largest, row[b * token_block + i]);
      }
      EXPECT_EQ(maxima[b * token_columns + column], largest) << b << " " << column;
    }
  }
}

// A NaN that is passed over gives a draw from nothing.
TEST_P(TokenWeights, SeeEveryValueThatIsNotFinite) {
  std::vector<float> maxima(blocks * token_columns);
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    for (int64_t i = 0; i < size; i += 37) {
      std::vector<float> row = logits();
      row[i] = bad;
      EXPECT_FALSE(GetParam()->column_maxima(row.data(), blocks, maxima.data())) << bad << " " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, TokenWeights, testing::ValuesIn(cpu_tables()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace alambic::kernels::token_weights_test
