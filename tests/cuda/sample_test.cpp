// Draws are those of rollout/sample on the CPU, for the same coins.
#include <cmath>

#include "alambic/base/random.h"
#include "alambic/rollout/sample.h"
#include "tests/cuda/memory.h"

namespace alambic::sample_test {
namespace {

using namespace alambic::test;

constexpr uint64_t seed = 11, step = 4;

struct Draws {
  int64_t B, V;
  std::vector<float> logits;
  std::vector<int64_t> ids = numbered<int64_t>(100);
  std::vector<int64_t> places = numbered<int64_t>(6);  // of the tokens before the drawn ones

  template <class T>
  std::vector<T> numbered(T from) const {
    std::vector<T> numbers(B);
    for (int64_t b = 0; b < B; ++b) numbers[b] = from + static_cast<T>(b);
    return numbers;
  }
  std::span<const float> row(int64_t b) const { return std::span(logits).subspan(b * V, V); }
  double coin(int64_t b) const {
    return uniform({.seed = seed,
                    .stream = Stream::sampling,
                    .step = step,
                    .sample = static_cast<uint64_t>(ids[b]),
                    .position = static_cast<uint32_t>(places[b] + 1)});
  }
};

Draws normal_draws(int64_t B, int64_t V, unsigned number, bool ties = false) {
  Draws draws{.B = B, .V = V, .logits = {}};
  for (double z : normal(B * V, number, 2.5)) {
    draws.logits.push_back(static_cast<float>(ties ? std::round(z) : z));
  }
  return draws;
}

struct DrawnRows {
  std::vector<int64_t> token;
  std::vector<double> logp;
};

DrawnRows drawn(const Draws& draws, const Sampling& sampling) {
  Memory<float> logits(draws.logits);
  Memory<int64_t> ids(draws.ids), places(draws.places), token(draws.B);
  Memory<double> numbers(2 * draws.B);
  in_both_orders([&] {
    std::copy(draws.places.begin(), draws.places.end(), places.data());
    under_test().sample({.logits = logits.data(),
                         .row = draws.V,
                         .B = draws.B,
                         .V = draws.V,
                         .temperature = sampling.temperature,
                         .top_k = sampling.top_k,
                         .top_p = sampling.top_p,
                         .min_p = sampling.min_p,
                         .coins = nullptr,
                         .seed = seed,
                         .step = step,
                         .id = ids.data(),
                         .place = places.data(),
                         .advance = true,
                         .token = token.data(),
                         .drawn = numbers.data()},
                        nullptr);
    return token.values();
  });
  for (int64_t b = 0; b < draws.B; ++b) {
    EXPECT_EQ(places.values()[b], draws.places[b] + 1) << "row " << b;
    EXPECT_EQ(numbers.values()[b], static_cast<double>(token.values()[b])) << "row " << b;
  }
  return {token.values(), {numbers.data() + draws.B, numbers.data() + 2 * draws.B}};
}

void expect_as_on_the_cpu(const Draws& draws, const Sampling& sampling, const std::string& what) {
  const DrawnRows found = drawn(draws, sampling);
  for (int64_t b = 0; b < draws.B; ++b) {
    const Drawn expected = sample(draws.row(b), sampling, draws.coin(b));
    EXPECT_EQ(found.token[b], expected.token) << what << ", row " << b;
    EXPECT_NEAR(found.logp[b], expected.logp, 2e-6) << what << ", row " << b;
  }
}

TEST(DeviceSample, TakesTheSameTokensAsTheCpu) {
  for (const int64_t V : {5, 512, 1531}) {
    const Draws draws = normal_draws(6, V, static_cast<unsigned>(V));
    for (const double T : {0.0, 0.7, 1.0, 3.0}) {
      expect_as_on_the_cpu(draws, {.temperature = T},
                           "V " + std::to_string(V) + " T " + std::to_string(T));
    }
  }
}

TEST(DeviceSample, TakesCoinsThatAreGiven) {
  const Draws draws = normal_draws(2, 300, 8);
  Memory<float> logits(draws.logits);
  Memory<double> coins(std::vector<double>{0.25, 0.75}), numbers(4);
  Memory<int64_t> token(2), places(draws.places);
  under_test().sample({.logits = logits.data(),
                       .row = 300,
                       .B = 2,
                       .V = 300,
                       .temperature = 1,
                       .top_k = 0,
                       .top_p = 1,
                       .min_p = 0,
                       .coins = coins.data(),
                       .seed = 0,
                       .step = 0,
                       .id = nullptr,
                       .place = places.data(),
                       .advance = false,
                       .token = token.data(),
                       .drawn = numbers.data()},
                      nullptr);
  EXPECT_EQ(places.values(), draws.places);
  for (int64_t b = 0; b < 2; ++b) {
    EXPECT_EQ(token.values()[b], sample(draws.row(b), {}, coins.values()[b]).token);
  }
}

TEST(DeviceSample, FiltersKeepTheSameTokens) {
  const Draws draws = normal_draws(6, 777, 3);
  expect_as_on_the_cpu(draws, {.top_k = 5}, "top-k");
  expect_as_on_the_cpu(draws, {.top_p = 0.8}, "top-p");
  expect_as_on_the_cpu(draws, {.min_p = 0.05}, "min-p");
  expect_as_on_the_cpu(draws, {.temperature = 1.5, .top_k = 40, .top_p = 0.7, .min_p = 0.1}, "all");
  expect_as_on_the_cpu(draws, {.top_p = 0}, "top-p 0 takes the most likely");
}

TEST(DeviceSample, TiesAreBrokenAsOnTheCpu) {
  const Draws draws = normal_draws(6, 600, 5, true);
  expect_as_on_the_cpu(draws, {.temperature = 0}, "greedy");
  expect_as_on_the_cpu(draws, {.top_k = 3}, "top-k keeps all ties of the last");
  expect_as_on_the_cpu(draws, {.top_p = 0.6}, "top-p keeps the lower ids");
}

TEST(DeviceSample, ARowThatIsNotFiniteIsMarkedAndSpoilsNoOther) {
  Draws draws = normal_draws(3, 100, 6);
  draws.logits[100 + 42] = NAN;
  const DrawnRows found = drawn(draws, {});
  EXPECT_EQ(found.token[1], 0) << "the next pass reads a row of the embedding for it";
  EXPECT_TRUE(std::isnan(found.logp[1]));
  EXPECT_EQ(found.token[2], sample(draws.row(2), {}, draws.coin(2)).token);
  draws.logits[100 + 42] = INFINITY;
  EXPECT_TRUE(std::isnan(drawn(draws, {}).logp[1]));
}

}  // namespace
}  // namespace alambic::sample_test
