#include "alambic/teacher/reward.h"

#include <gtest/gtest.h>

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/teacher/reward_scorer.h"
#include "tests/train/task_fixture.h"

namespace alambic::reward_test {
namespace {

Score score(const std::string& reward, const std::string& completion,
            std::optional<std::string> expected = {}, RewardLimits limits = {.seconds = 5}) {
  return make_reward(reward, limits)
      ->score({{.prompt = "2 + 2 =", .completion = completion, .expected = std::move(expected)}})
      .front();
}

TEST(Reward, ComparesWithTheKnownAnswer) {
  EXPECT_EQ(score("exact_match", " Paris\n", "Paris").value, 1);
  EXPECT_EQ(score("exact_match", "Paris.", "Paris").value, 0);
  EXPECT_EQ(score("number", "2 + 2 is 4 #### 4", "4").value, 1);
  EXPECT_EQ(score("number", "4", "4").value, 0);
  EXPECT_TRUE(std::isnan(score("number", "#### 4").value));
}

TEST(Reward, FindsAPattern) {
  EXPECT_EQ(score("regex:^<think>[\\s\\S]*</think>", "<think>a\nb</think> 4").value, 1);
  EXPECT_EQ(score("regex:^<think>", "so <think>").value, 0);
  EXPECT_EQ(score("regex:\\bé", "un été é").value, 1);
  // Backtracks without end: this completion has no score, and the run goes on.
  const Score hopeless = score("regex:(a+)+(a+)+$", std::string(60, 'a') + "b");
  EXPECT_TRUE(std::isnan(hopeless.value) || hopeless.value == 0);
}

TEST(Reward, IsWhatACommandPrints) {
  EXPECT_EQ(score("command:wc -c", "four").value, 4);
  EXPECT_EQ(score("command:[ \"$(cat)\" = \"$ALAMBIC_EXPECTED\" ] && echo 1 || echo -0.5", "5", "4")
                .value,
            -0.5);
  EXPECT_EQ(score("command:echo \"$ALAMBIC_PROMPT\" | wc -c", "").value, 8);
}

TEST(Reward, OfABrokenCommandIsDroppedWithTheReason) {
  const auto dropped = [](const std::string& command, const char* word) {
    const Score found = score("command:" + command, "x", {}, {.seconds = 0.3});
    EXPECT_TRUE(std::isnan(found.value)) << command;
    EXPECT_NE(found.dropped.find(word), std::string::npos) << found.dropped;
  };
  dropped("echo no >&2; exit 3", "exit code 3: no");
  dropped("sleep 30", "0.3 s");
  dropped("true", "printed nothing");
  dropped("echo good", "'good'");
  dropped("echo 1 2", "'1 2'");
  dropped("echo nan", "'nan'");
  dropped("echo 1e999", "1e999");
  dropped("yes 1", "4096");
  dropped("kill -SEGV $$", "exit code 139");
}

// Several run side by side; a slow one must not shift the others' scores.
TEST(Reward, KeepsTheOrderOfCommandsSideBySide) {
  std::vector<Attempt> attempts;
  for (int i = 0; i < 12; ++i) attempts.push_back({.completion = std::to_string(i)});
  const auto scores = make_reward("command:sleep 0.0$(( $$ % 4 )); cat")->score(attempts);
  ASSERT_EQ(scores.size(), 12u);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(scores[i].value, static_cast<float>(i));
}

TEST(Reward, RefusesUnknownNames) {
  for (const char* name : {"exact", "", "regex:", "regex", "command:", "regex:(", "judge"}) {
    EXPECT_THROW(make_reward(name), Error) << name;
  }
}

struct TextRewardScorerTest : testing::Test {
  Tokenizer tokenizer = recipe_tokenizer();

  Rollouts completions(const std::vector<std::string>& texts) const {
    std::vector<std::vector<int32_t>> sequences;
    std::vector<bool> graded;
    Rollouts rollouts;
    for (const std::string& text : texts) {
      sequences.push_back(tokenizer.encode("1 + 3 ="));
      graded.insert(graded.end(), sequences.back().size(), false);
      const auto completion = tokenizer.encode(text, false);
      graded.insert(graded.end(), completion.size() + 1, true);
      sequences.back().insert(sequences.back().end(), completion.begin(), completion.end());
      sequences.back().push_back(*tokenizer.eos());
      rollouts.row_S.push_back(std::ssize(rollouts.row_S));
    }
    rollouts.sequences = pack(sequences);
    rollouts.completion_mask_N = at::zeros({rollouts.sequences.positions()}, at::kBool);
    for (size_t n = 0; n < graded.size(); ++n) rollouts.completion_mask_N[n] = bool(graded[n]);
    return rollouts;
  }
};

// The end-of-text token or a lost first space would make no completion match exactly.
TEST_F(TextRewardScorerTest, ScoresTheTextOfTheCompletion) {
  const TextRewardScorer scorer(make_reward("number"), tokenizer,
                                std::vector<std::vector<std::string>>{{"4"}, {"5"}, {}});
  const auto scores = scorer.score(completions({" #### 4", " #### 4", " #### 4"}));
  ASSERT_EQ(scores.size(), 3u);
  EXPECT_EQ(scores[0].value, 1);
  EXPECT_EQ(scores[1].value, 0);
  EXPECT_TRUE(std::isnan(scores[2].value));
  EXPECT_FALSE(scores[2].dropped.empty());
  const Attempt attempt = attempts_of(completions({" #### 4"}), tokenizer).front();
  EXPECT_EQ(attempt.prompt + attempt.completion,
            tokenizer.decode(tokenizer.encode("1 + 3 = #### 4"), true));
}

}  // namespace
}  // namespace alambic::reward_test
