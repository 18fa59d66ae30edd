#include "alambic/objective/group_advantage.h"

#include <gtest/gtest.h>

#include <cmath>

#include "alambic/base/error.h"

namespace alambic::group_advantage_test {
namespace {

const float kMissing = std::nanf("");

// Bug: statistics over the whole batch, which rewards easy prompts.
TEST(GroupAdvantage, ComparesCompletionsToOnePrompt) {
  const auto found = group_advantages({1, 0, 0, 1, 5, 3}, 2, AdvantageKind::dr_grpo);
  EXPECT_EQ(found.advantages, (std::vector<double>{0.5, -0.5, -0.5, 0.5, 1, -1}));
  EXPECT_NEAR(found.mean, 10.0 / 6, 1e-12);
  EXPECT_NEAR(found.deviation, (2 * std::sqrt(0.5) + std::sqrt(2)) / 3, 1e-12);
  const auto scaled = group_advantages({5, 3}, 2, AdvantageKind::grpo);
  EXPECT_NEAR(scaled.advantages[0], 1 / (std::sqrt(2) + 1e-4), 1e-12);
}

// Bug: 1e-8 of rounding over 1e-4 of deviation teaches from a group that is all alike.
TEST(GroupAdvantage, OfEqualScoresIsZero) {
  for (const auto kind : {AdvantageKind::grpo, AdvantageKind::dr_grpo}) {
    const auto found = group_advantages({0.1F, 0.1F, 0.1F}, 3, kind);
    EXPECT_EQ(found.advantages, (std::vector<double>{0, 0, 0}));
    EXPECT_EQ(found.equal, 1);
  }
}

// Bug: a completion without a score counts as 0 and lifts all others.
TEST(GroupAdvantage, LeavesOutCompletionsWithoutAScore) {
  const auto found =
      group_advantages({1, kMissing, 3, kMissing, 7, kMissing}, 3, AdvantageKind::dr_grpo);
  EXPECT_EQ(found.advantages, (std::vector<double>{-1, 0, 1, 0, 0, 0}));
  EXPECT_EQ(found.dropped, 3);
  EXPECT_EQ(found.equal, 1);
  const auto none = group_advantages({kMissing, kMissing}, 2, AdvantageKind::grpo);
  EXPECT_EQ(none.advantages, (std::vector<double>{0, 0}));
  EXPECT_TRUE(std::isnan(none.mean) && std::isnan(none.deviation));
}

TEST(GroupAdvantage, NeedsWholeGroups) {
  EXPECT_THROW(group_advantages({1, 2, 3}, 2, AdvantageKind::grpo), Error);
}

}  // namespace
}  // namespace alambic::group_advantage_test
