#include "alambic/train/dropped_scores.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"

namespace alambic::dropped_scores_test {
namespace {

std::vector<Score> scores(size_t good, size_t dropped) {
  std::vector<Score> scores(good, {.value = 1});
  scores.insert(scores.end(), dropped, dropped_score("exit code 1"));
  return scores;
}

// A reward that always fails would otherwise look like a student that learns nothing.
TEST(DroppedScores, StopTheRunPastAShareOfThem) {
  DroppedScores dropped;
  dropped.count(scores(0, 10));  // too few to say
  try {
    dropped.count(scores(0, 10));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("20 of 20"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("exit code 1"), std::string::npos) << error.what();
  }
}

TEST(DroppedScores, AreForgivenUpToTheShare) {
  DroppedScores dropped(0.25);
  for (int i = 0; i < 10; ++i) dropped.count(scores(6, 2));
  EXPECT_THROW(dropped.count(scores(0, 8)), Error);  // 28 of 88
}

}  // namespace
}  // namespace alambic::dropped_scores_test
