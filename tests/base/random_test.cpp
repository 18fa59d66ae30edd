#include "alambic/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace alambic::random_test {
namespace {

// Known completions of Random123 1.09 (kat_vectors, philox4x32 10): a wrong constant or round order
// would still look random.
TEST(Philox, GivesTheKnownAnswers) {
  const std::array<uint32_t, 4> zeros = philox({0, 0, 0, 0}, {0, 0});
  EXPECT_EQ(zeros, (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t f = 0xffffffff;
  const std::array<uint32_t, 4> ones = philox({f, f, f, f}, {f, f});
  EXPECT_EQ(ones, (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Random, EveryCoordinateChangesTheDraw) {
  const Draw base{.seed = 7, .stream = Stream::sampling, .step = 3, .sample = 5, .position = 2};
  std::set<double> values = {uniform(base)};
  for (Draw other : {Draw{8, Stream::sampling, 3, 5, 2}, Draw{7, Stream::mixture, 3, 5, 2},
                     Draw{7, Stream::sampling, 4, 5, 2}, Draw{7, Stream::sampling, 3, 6, 2},
                     Draw{7, Stream::sampling, 3, 5, 3}}) {
    values.insert(uniform(other));
  }
  EXPECT_EQ(values.size(), 6u);
}

// 100,000 draws with a fixed seed; the bounds are five standard errors wide.
TEST(Random, MomentsOfUniformAndNormal) {
  double uniform_sum = 0, normal_sum = 0, normal_square = 0;
  const int count = 100000;
  for (int i = 0; i < count; ++i) {
    const Draw draw{.seed = 1, .sample = static_cast<uint64_t>(i)};
    uniform_sum += uniform(draw);
    const double z = normal(draw);
    normal_sum += z;
    normal_square += z * z;
  }
  EXPECT_NEAR(uniform_sum / count, 0.5, 5 * std::sqrt(1.0 / 12 / count));
  EXPECT_NEAR(normal_sum / count, 0, 5 / std::sqrt(count));
  EXPECT_NEAR(normal_square / count, 1, 5 * std::sqrt(2.0 / count));
}

TEST(Random, UniformBelowStaysBelow) {
  for (uint64_t i = 0; i < 1000; ++i) EXPECT_LT(uniform_below({.sample = i}, 7), 7u);
}

}  // namespace
}  // namespace alambic::random_test
