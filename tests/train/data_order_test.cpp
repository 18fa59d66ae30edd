#include "alambic/train/data_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "alambic/base/error.h"

namespace alambic::data_order_test {
namespace {

std::vector<int64_t> steps(uint64_t seed, int64_t count, int64_t first, int64_t last,
                           int64_t batch_size) {
  DataOrder order(seed, count);
  std::vector<int64_t> taken;
  for (int64_t step = first; step < last; ++step) {
    const auto batch = order.batch(step, batch_size);
    taken.insert(taken.end(), batch.begin(), batch.end());
  }
  return taken;
}

// Draws with replacement would repeat some examples and never show others.
TEST(DataOrder, TakesEveryExampleOnceAnEpochAlsoAcrossABatch) {
  const std::vector<int64_t> taken = steps(3, 10, 0, 15, 4);  // six epochs, batches span two
  std::vector<std::vector<int64_t>> epochs;
  for (size_t i = 0; i < taken.size(); i += 10) {
    std::vector<int64_t> epoch(taken.begin() + i, taken.begin() + i + 10);
    epochs.push_back(epoch);
    std::ranges::sort(epoch);
    std::vector<int64_t> all(10);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(epoch, all) << "epoch " << i / 10;
  }
  EXPECT_NE(epochs[0], epochs[1]);  // a fresh shuffle, not the first one again
}

TEST(DataOrder, IsTheSameResumedAsUninterrupted) {
  const std::vector<int64_t> whole = steps(7, 11, 0, 9, 5);
  for (int64_t resumed = 1; resumed < 9; ++resumed) {
    EXPECT_EQ(steps(7, 11, resumed, 9, 5),
              std::vector<int64_t>(whole.begin() + resumed * 5, whole.end()));
  }
}

// A cached epoch must not leak into an earlier step.
TEST(DataOrder, DependsOnSeedAndStepAlone) {
  DataOrder order(7, 11);
  const auto early = order.batch(0, 5);
  const auto late = order.batch(8, 5);
  EXPECT_EQ(order.batch(0, 5), early);
  EXPECT_EQ(order.batch(8, 5), late);
  EXPECT_NE(steps(8, 11, 0, 2, 5), steps(7, 11, 0, 2, 5));
}

TEST(DataOrder, FillsABatchLargerThanTheData) {
  const std::vector<int64_t> taken = steps(1, 3, 0, 1, 7);
  ASSERT_EQ(taken.size(), 7u);
  for (int64_t i = 0; i < 3; ++i) EXPECT_GE(std::ranges::count(taken, i), 2);
}

const std::vector<RowShare> mixture = {{.rows = 7, .weight = 7}, {.rows = 20, .weight = 3}};

std::vector<int64_t> mixed(uint64_t seed, int64_t first, int64_t last, int64_t batch_size) {
  DataOrder order(seed, mixture);
  std::vector<int64_t> taken;
  for (int64_t step = first; step < last; ++step) {
    const auto batch = order.batch(step, batch_size);
    taken.insert(taken.end(), batch.begin(), batch.end());
  }
  return taken;
}

// The shares over 10^4 places, within four standard deviations.
TEST(DataOrder, MixesSourcesInTheirShares) {
  const std::vector<int64_t> taken = mixed(3, 0, 1000, 10);
  const auto first = std::ranges::count_if(taken, [](int64_t i) { return i < 7; });
  EXPECT_NEAR(static_cast<double>(first) / 1e4, 0.7, 4 * std::sqrt(0.7 * 0.3 / 1e4));
}

// A source that is taken more often than it has rows comes around again, each row as often as the
// others; draws with replacement would leave some out.
TEST(DataOrder, OfAMixtureTakesEachSourcesRowsInTurn) {
  const std::vector<int64_t> taken = mixed(3, 0, 100, 5);
  std::vector<int64_t> counts(27);
  for (const int64_t i : taken) ++counts[i];
  for (const auto& [begin, end] : {std::pair(0, 7), std::pair(7, 27)}) {
    const auto [least, most] = std::minmax_element(counts.begin() + begin, counts.begin() + end);
    EXPECT_LE(*most - *least, 1);
    EXPECT_GT(*least, 0);
  }
}

TEST(DataOrder, OfAMixtureIsTheSameResumedAsUninterrupted) {
  const std::vector<int64_t> whole = mixed(7, 0, 12, 5);
  for (int64_t resumed = 1; resumed < 12; ++resumed) {
    EXPECT_EQ(mixed(7, resumed, 12, 5),
              std::vector<int64_t>(whole.begin() + resumed * 5, whole.end()));
  }
  DataOrder order(7, mixture);
  const auto late = order.batch(11, 5);
  EXPECT_EQ(order.batch(2, 5), std::vector<int64_t>(whole.begin() + 10, whole.begin() + 15));
  EXPECT_EQ(order.batch(11, 5), late);
  EXPECT_NE(mixed(8, 0, 12, 5), whole);
}

TEST(DataOrder, RefusesASourceWithoutRows) {
  EXPECT_THROW(DataOrder(1, {{.rows = 3, .weight = 1}, {.rows = 0, .weight = 1}}), Error);
}

}  // namespace
}  // namespace alambic::data_order_test
