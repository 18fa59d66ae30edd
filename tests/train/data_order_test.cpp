#include "alambic/train/data_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace alambic {
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

}  // namespace
}  // namespace alambic
