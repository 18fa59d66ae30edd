#include "alambic/rollout/sample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "alambic/base/error.h"
#include "alambic/base/random.h"

namespace alambic::sample_test {
namespace {

std::vector<float> random_logits(size_t size, double deviation, uint64_t seed = 1) {
  std::vector<float> logits(size);
  for (size_t i = 0; i < size; ++i) {
    logits[i] = static_cast<float>(deviation * normal({.seed = seed, .sample = i}));
  }
  return logits;
}

double coin_of(uint64_t i) {
  return uniform({.seed = 11, .stream = Stream::sampling, .sample = i});
}

// softmax(logits / temperature) in double.
std::vector<double> probabilities(const std::vector<float>& logits, double temperature) {
  const double largest = *std::ranges::max_element(logits);
  std::vector<double> p;
  for (const float x : logits) p.push_back(std::exp((x - largest) / temperature));
  const double total = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= total;
  return p;
}

// Pearson's statistic of 20,000 draws against `expected`, tokens expected less than five times
// pooled; returns (statistic − degrees) / sqrt(2 · degrees), which is standard normal within
// a few percent for the forty-odd degrees used here.
double chi_square_score(const std::vector<float>& logits, const Sampling& sampling,
                        const std::vector<double>& expected) {
  const int count = 20000;
  std::vector<double> seen(expected.size());
  for (int i = 0; i < count; ++i) {
    seen[static_cast<size_t>(sample(logits, sampling, coin_of(static_cast<uint64_t>(i))).token)]++;
  }
  double statistic = 0, degrees = -1, rare_seen = 0, rare_expected = 0;
  const auto add = [&](double observed, double mean) {
    statistic += (observed - mean) * (observed - mean) / mean;
    degrees++;
  };
  for (size_t i = 0; i < expected.size(); ++i) {
    const double mean = expected[i] * count;
    if (mean >= 5) {
      add(seen[i], mean);
    } else {
      rare_seen += seen[i];
      rare_expected += mean;
    }
  }
  if (rare_expected > 0) add(rare_seen, rare_expected);
  return (statistic - degrees) / std::sqrt(2 * degrees);
}

// Sampling from p² or at another temperature scores in the thousands. A correct sampler exceeds
// 3.8 for about one seed in a thousand (the upper tail of a chi-square of some forty degrees).
TEST(Sample, DrawsTheDistribution) {
  const std::vector<float> logits = random_logits(50, 1.5);
  for (const double temperature : {1.0, 0.7, 2.0}) {
    const double score =
        chi_square_score(logits, {.temperature = temperature}, probabilities(logits, temperature));
    EXPECT_LT(score, 3.8) << "temperature " << temperature;
  }
  const double wrong = chi_square_score(logits, {.temperature = 1}, probabilities(logits, 0.95));
  EXPECT_GT(wrong, 3.8) << "the test cannot tell temperature 1 from 0.95";
}

TEST(Sample, DrawsTheFilteredDistribution) {
  const std::vector<float> logits = random_logits(50, 1.5);
  std::vector<double> expected = probabilities(logits, 1.3);
  std::vector<double> sorted = expected;
  std::ranges::sort(sorted, std::greater<>());
  double total = 0;
  for (double& p : expected) total += p = p >= sorted[19] ? p : 0;
  for (double& p : expected) p /= total;
  EXPECT_LT(chi_square_score(logits, {.temperature = 1.3, .top_k = 20}, expected), 3.8);
}

// The interval of every token, over block boundaries and a ragged end, against a running sum in
// double. A block skipped or counted twice moves all tokens after it.
TEST(Sample, TakesTheTokenWhoseIntervalHoldsTheCoin) {
  for (const size_t size : {1, 15, 16, 511, 512, 513, 1024, 5000}) {
    const std::vector<float> logits = random_logits(size, 2, size);
    const std::vector<double> p = probabilities(logits, 1.5);
    int compared = 0;
    for (uint64_t i = 0; i < 500; ++i) {
      const double coin = coin_of(i);
      double sum = 0;
      size_t token = 0;
      while (token + 1 < size && sum + p[token] <= coin) sum += p[token++];
      const double distance = std::min(coin - sum, sum + p[token] - coin);
      if (distance < 1e-6) continue;  // too close to a boundary for float32 weights
      ASSERT_EQ(sample(logits, {.temperature = 1.5}, coin).token, static_cast<int32_t>(token))
          << "size " << size << ", coin " << coin;
      ++compared;
    }
    EXPECT_GT(compared, 450) << size;
  }
}

TEST(Sample, TakesTokensWithWeightAtTheEndsOfTheUnitInterval) {
  std::vector<float> logits(700, -1e30f);
  logits[300] = 1;
  logits[600] = 1;
  EXPECT_EQ(sample(logits, {}, 0).token, 300);
  EXPECT_EQ(sample(logits, {}, std::nextafter(1.0, 0.0)).token, 600);
}

// Trainers compute log_softmax(logits / temperature) in float32; filters change what is drawn, not
// what is reported.
TEST(Sample, ReportsTheLogProbabilityBeforeFilters) {
  const std::vector<float> logits = random_logits(32000, 3);
  for (const double temperature : {1.0, 0.6, 2.5}) {
    const std::vector<double> p = probabilities(logits, temperature);
    for (const Sampling& sampling :
         {Sampling{.temperature = temperature}, Sampling{.temperature = temperature, .top_k = 7},
          Sampling{.temperature = temperature, .top_p = 0.5},
          Sampling{.temperature = temperature, .min_p = 0.1}}) {
      const Drawn drawn = sample(logits, sampling, 0.37);
      EXPECT_NEAR(drawn.logp, std::log(p[static_cast<size_t>(drawn.token)]), 2e-6);
    }
  }
}

TEST(Sample, GreedyTakesTheFirstOfEqualMaximaAndIgnoresTheCoin) {
  std::vector<float> logits = random_logits(1500, 1);
  logits[1203] = logits[777] = logits[1400] = 9;
  for (const double coin : {0.0, 0.5, 0.999}) {
    const Drawn drawn = sample(logits, {.temperature = 0, .top_k = 3, .top_p = 0.1}, coin);
    EXPECT_EQ(drawn.token, 777);
    EXPECT_NEAR(drawn.logp, std::log(probabilities(logits, 1)[777]), 2e-6);
  }
}

TEST(Sample, ATinyTemperatureIsGreedyWithoutOverflow) {
  const std::vector<float> logits = random_logits(300, 1);
  const auto best = std::ranges::max_element(logits) - logits.begin();
  for (const double temperature : {1e-3, 1e-20, 1e-300}) {
    const Drawn drawn = sample(logits, {.temperature = temperature}, 0.99);
    EXPECT_EQ(drawn.token, best);
    EXPECT_NEAR(drawn.logp, 0, 1e-6);
  }
}

TEST(Sample, RefusesLogitsThatAreNotFiniteAndNamesTheToken) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float wrong : {std::nanf(""), infinity, -infinity}) {
    for (const size_t place : {0u, 511u, 512u, 599u}) {
      std::vector<float> logits = random_logits(600, 1);
      logits[place] = wrong;
      try {
        sample(logits, {.temperature = 0}, 0.5);
        FAIL() << "drew from a row with " << wrong;
      } catch (const Error& error) {
        const std::string named = fmt::format("token {} of 600 is", place);
        EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
        EXPECT_NE(error.hint(), "");
      }
    }
  }
}

}  // namespace
}  // namespace alambic::sample_test
