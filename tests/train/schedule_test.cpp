#include "alambic/train/schedule.h"

#include <gtest/gtest.h>

namespace alambic::schedule_test {
namespace {

// A warm-up that begins at zero wastes its first step, one that counts from 1 never gets there.
TEST(Schedule, WarmsUpFromPeakOverNToPeak) {
  const Schedule schedule{.peak = 0.8, .shape = ScheduleShape::cosine, .warmup = 4};
  const double expected[] = {0.2, 0.4, 0.6, 0.8};
  for (int step = 0; step < 4; ++step) {
    EXPECT_DOUBLE_EQ(schedule.rate(step, step / 20.0, 0.2), expected[step]);
  }
  EXPECT_DOUBLE_EQ(schedule.rate(4, 0.2, 0.2), 0.8);  // the fall begins at the peak
}

TEST(Schedule, FallsByHandComputedValuesToTheFloor) {
  const Schedule cosine{.peak = 2, .shape = ScheduleShape::cosine, .warmup = 2, .floor_ratio = 0.1};
  const Schedule linear{.peak = 2, .shape = ScheduleShape::linear, .warmup = 2, .floor_ratio = 0.1};
  const Schedule constant{
      .peak = 2, .shape = ScheduleShape::constant, .warmup = 2, .floor_ratio = 0.1};
  // Of progress 0.2 … 1 after a warm-up of 0.2; a third of the way is cos(60°) = 1/2.
  EXPECT_NEAR(cosine.rate(5, 0.2 + 0.8 / 3, 0.2), 2 * (0.1 + 0.9 * 0.75), 1e-12);
  EXPECT_NEAR(cosine.rate(5, 0.6, 0.2), 2 * (0.1 + 0.9 * 0.5), 1e-12);
  EXPECT_NEAR(linear.rate(5, 0.6, 0.2), 2 * (0.1 + 0.9 * 0.5), 1e-12);
  EXPECT_NEAR(linear.rate(5, 0.8, 0.2), 2 * (0.1 + 0.9 * 0.25), 1e-12);
  EXPECT_NEAR(cosine.rate(9, 1, 0.2), 0.2, 1e-12);
  EXPECT_NEAR(linear.rate(9, 1, 0.2), 0.2, 1e-12);
  EXPECT_DOUBLE_EQ(constant.rate(9, 1, 0.2), 2);
}

// A run limited by time ends its schedule with its time, and may overrun it by a step.
TEST(Schedule, FollowsProgressNotSteps) {
  const Schedule schedule{.peak = 1, .shape = ScheduleShape::linear};
  EXPECT_DOUBLE_EQ(schedule.rate(3, 0.75, 0), 0.25);
  EXPECT_DOUBLE_EQ(schedule.rate(1000, 0.75, 0), 0.25);
  EXPECT_DOUBLE_EQ(schedule.rate(3, 1.3, 0), 0);
}

// 0/0 when the warm-up is as long as the run.
TEST(Schedule, StaysFiniteWhenTheWarmUpIsTheWholeRun) {
  const Schedule schedule{.peak = 1, .shape = ScheduleShape::cosine, .warmup = 4};
  EXPECT_DOUBLE_EQ(schedule.rate(3, 0.75, 1), 1);
  EXPECT_DOUBLE_EQ(schedule.rate(4, 1, 1), 1);
}

}  // namespace
}  // namespace alambic::schedule_test
