#include "alambic/train/collapse.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace alambic::collapse_test {
namespace {

using Figure = std::function<double(int64_t step)>;

/// Steps (from 0) at which something is newly wrong, with what.
std::vector<std::pair<int64_t, std::string>> signs_of(const std::string& name, const Figure& figure,
                                                      int64_t steps = 100, double longest = 100) {
  CollapseWatch watch(longest, 10);
  std::vector<std::pair<int64_t, std::string>> signs;
  for (int64_t step = 0; step < steps; ++step) {
    for (const CollapseSign& sign :
         watch.see({{"step", static_cast<double>(step)}, {name, figure(step)}})) {
      EXPECT_EQ(sign.since, step - 9);
      signs.emplace_back(step, sign.text);
    }
  }
  return signs;
}

double noise(int64_t step) { return 0.5 + 0.5 * std::sin(static_cast<double>(step) * 12.9898); }

/// `before` until the 50th step, `after` from then on.
Figure jump(double before, double after) {
  return [=](int64_t step) { return step < 50 ? before : after; };
}

TEST(Collapse, SeesCompletionsThatRunIntoTheirLimit) {
  const auto signs = signs_of("completion_length", jump(20, 95));
  ASSERT_EQ(signs.size(), 1u);
  EXPECT_TRUE(signs[0].first > 50 && signs[0].first < 60) << signs[0].first;
  EXPECT_NE(signs[0].second.find("from 20 to 8"), std::string::npos) << signs[0].second;
  // Longer completions within their room are what a task may ask for.
  EXPECT_TRUE(signs_of("completion_length", jump(20, 70)).empty());
  EXPECT_TRUE(signs_of("completion_length", jump(60, 95)).empty());
}

TEST(Collapse, SeesCompletionsThatNoLongerEnd) {
  const auto signs = signs_of("eos_share", jump(0.9, 0.2));
  ASSERT_EQ(signs.size(), 1u);
  EXPECT_NE(signs[0].second.find("90 %"), std::string::npos) << signs[0].second;
  EXPECT_TRUE(signs_of("eos_share", jump(0.9, 0.6)).empty());
  // A student that never ended cannot lose it.
  EXPECT_TRUE(signs_of("eos_share", jump(0.05, 0)).empty());
}

TEST(Collapse, SeesRepetition) {
  EXPECT_EQ(signs_of("repetition", jump(0.1, 0.6)).size(), 1u);
  EXPECT_TRUE(signs_of("repetition", jump(0.6, 0.8)).empty());
}

// The best so far, not the first: a run that learned and then falls apart.
TEST(Collapse, SeesTheOverlapWithTheTeacherFall) {
  const auto risen_and_lost = [](int64_t step) { return step < 50 ? 0.2 + 0.012 * step : 0.3; };
  const auto signs = signs_of("agreement", risen_and_lost);
  ASSERT_EQ(signs.size(), 1u);
  EXPECT_GT(signs[0].first, 50);
  EXPECT_TRUE(signs_of("agreement", jump(0.8, 0.5)).empty());
}

// Bug: one bad batch ends a run, or a slow drift that a short memory cannot see does not.
TEST(Collapse, IsNotOneBadStepAndNotTheFirstSteps) {
  const auto spike = [](int64_t step) { return step % 20 == 19 ? 100.0 : 20.0; };
  EXPECT_TRUE(signs_of("completion_length", spike).empty());
  EXPECT_TRUE(signs_of("eos_share", [](int64_t s) { return s % 7 == 0 ? 0.0 : 0.9; }).empty());
  EXPECT_TRUE(signs_of("agreement", [](int64_t s) { return 0.6 + 0.3 * noise(s); }).empty());
  EXPECT_TRUE(signs_of("repetition", [](int64_t s) { return 0.3 * noise(s); }).empty());
  EXPECT_TRUE(signs_of(
                  "eos_share", [](int64_t s) { return s < 3 ? 0.9 : 0.1; }, 19)
                  .empty());
  EXPECT_EQ(
      signs_of("eos_share", [](int64_t s) { return 1 - 0.01 * static_cast<double>(s); }).size(),
      1u);
}

TEST(Collapse, IsToldOnceUntilItGoesAway) {
  const auto twice = [](int64_t step) { return step / 30 % 2 == 0 ? 0.1 : 0.9; };
  EXPECT_EQ(signs_of("repetition", twice, 120).size(), 2u);
}

// Steps on given completions have no completions, and a figure may be NaN.
TEST(Collapse, LeavesOutStepsWithoutTheFigure) {
  CollapseWatch watch(100, 10);
  const auto value = jump(0.9, 0.1);
  size_t signs = 0;
  for (int64_t step = 0; step < 80; ++step) {
    signs += watch.see({{"eos_share", value(step)}}).size();
    signs += watch.see({{"eos_share", std::nan("")}, {"loss", 1}}).size();
  }
  EXPECT_EQ(signs, 1u);
}

}  // namespace
}  // namespace alambic::collapse_test
