#include "alambic/teacher/judge.h"

#include <gtest/gtest.h>

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/model/decoder.h"
#include "alambic/teacher/judge_check.h"
#include "tests/packed_as_it_is.h"
#include "tests/train/task_fixture.h"

namespace alambic::judge_test {
namespace {

TEST(Rubric, NeverTakesAnCompletionForAPlace) {
  const Rubric rubric{.text = "Q {prompt} A {answer} R {reference}."};
  EXPECT_EQ(
      rubric.fill({.prompt = "{answer}", .completion = "{reference}{prompt}", .expected = "r"}),
      "Q {answer} A {reference}{prompt} R r.");
  const Rubric pair{.text = "{first}|{second}"};
  EXPECT_EQ(pair.fill({.completion = "a", .expected = "r"}, false), "a|r");
  EXPECT_EQ(pair.fill({.completion = "a", .expected = "r"}, true), "r|a");
}

TEST(Rubric, IsReadFromAFile) {
  const TestFolder folder;
  const auto read = [&](const std::string& text, const std::vector<std::string>& words = {}) {
    write_file(folder.path / "rubric.txt", text);
    return read_rubric(folder.path / "rubric.txt", words);
  };
  const Rubric own = read("{prompt} {answer} out of ten:\n", {"2", "4", "8"});
  EXPECT_TRUE(own.text.ends_with("ten:"));
  EXPECT_EQ(own.values, (std::vector<double>{0, 1.0 / 3, 1}));
  EXPECT_TRUE(read("{first} or {second}?").compares());
  EXPECT_THROW(read("no place"), Error);
  EXPECT_THROW(read("{answer} {first} {second}"), Error);
  EXPECT_THROW(read("{answer}", {"7"}), Error);
  EXPECT_THROW(read("{answer}", {"7", "good"}), Error);
  EXPECT_THROW(read("{first} {second}", {"1", "2"}), Error);
}

struct JudgeTest : testing::Test {
  std::shared_ptr<Tokenizer> tokenizer = std::make_shared<Tokenizer>(recipe_tokenizer());
  std::shared_ptr<const Model> model;
  Rubric rubric{.text = "{prompt} {answer}", .words = {"1", "2", "3"}, .values = {0, 0.5, 1}};

  JudgeTest() {
    Json config = small_llama_config(tokenizer->size() + 7);  // padded rows
    model = random_model(config, 3);
  }
  std::shared_ptr<Judge> judge(double min_mass = 0) const {
    return std::make_shared<Judge>(model, tokenizer, rubric, min_mass);
  }
};

// Bug: what stood in the stead of a head that keeps its file's blocks was taken for the head, and a
// judge from a GGUF file gave no score at all.
TEST_F(JudgeTest, ReadsAPackedHead) {
  const std::vector<Attempt> attempts = {{.prompt = "1 + 3 =", .completion = "#### 4"}};
  const float expected = judge()->score(attempts)[0].value;
  const std::shared_ptr<Model> packed = random_model(model->config, 3);
  auto& decoder = dynamic_cast<Decoder&>(*packed);
  decoder.embed_tokens = packed_as_it_is(decoder.embed_tokens.dense());  // its head too
  const Judge judge(packed, tokenizer, rubric, 0);
  EXPECT_NEAR(judge.score(attempts)[0].value, expected, 1e-6);
}

// A position too early, the padded rows in the softmax, or one spelling forgotten would change it.
TEST_F(JudgeTest, IsTheExpectedValueOverTheScoreWords) {
  const std::vector<Attempt> attempts = {{.prompt = "1 + 3 =", .completion = "#### 4"},
                                         {.prompt = "1 + 3 =", .completion = ""}};
  const std::vector<Score> scores = judge()->score(attempts);
  for (size_t i = 0; i < attempts.size(); ++i) {
    const Packed one = pack({tokenizer->encode(attempts[i].prompt + " " + attempts[i].completion)});
    const Tensor hidden_D = model->hidden(Pass(one))[one.positions() - 1];
    const Tensor logits_V =
        model->head().weight_VD.dense().slice(0, 0, tokenizer->size()).mv(hidden_D);
    const Tensor p_V = logits_V.to(at::kDouble).softmax(0);
    double mass = 0, sum = 0;
    for (int w = 0; w < 3; ++w) {
      std::set<int32_t> ids;
      for (const std::string& word : {rubric.words[w], " " + rubric.words[w]}) {
        const auto tokens = tokenizer->encode(word, false);
        if (tokens.size() == 1) ids.insert(tokens.front());
      }
      for (const int32_t id : ids) {
        mass += p_V[id].item<double>();
        sum += p_V[id].item<double>() * rubric.values[w];
      }
    }
    EXPECT_NEAR(scores[i].value, sum / mass, 1e-5);
  }
  EXPECT_NE(scores[0].value, scores[1].value);
}

TEST_F(JudgeTest, GivesNoScoreWhenItWouldSayAnythingElse) {
  const Score score = judge(0.999)->score({{.prompt = "1", .completion = "2"}}).front();
  EXPECT_TRUE(std::isnan(score.value));
  EXPECT_NE(score.dropped.find("gives no score"), std::string::npos);
  std::string long_completion;
  for (int i = 0; i < 100; ++i) long_completion += " 7";
  const auto both =
      judge()->score({{.completion = long_completion}, {.prompt = "1", .completion = "2"}});
  EXPECT_NE(both[0].dropped.find("context is 64"), std::string::npos) << both[0].dropped;
  EXPECT_TRUE(both[1].dropped.empty());
}

// A judge that prefers whatever comes first must not prefer the completion.
TEST_F(JudgeTest, HasNoFavoriteOrder) {
  rubric = {.text = "{first} {second} {prompt}", .words = {"1", "2"}, .values = {1, 0}};
  const Score same = judge()->score({{.prompt = "3", .completion = "4", .expected = "4"}}).front();
  EXPECT_NEAR(same.value, 0.5, 1e-6);
  const Score forth = judge()->score({{.prompt = "3", .completion = "4", .expected = "5"}}).front();
  const Score back = judge()->score({{.prompt = "3", .completion = "5", .expected = "4"}}).front();
  EXPECT_NEAR(forth.value + back.value, 1, 1e-6);
  EXPECT_FALSE(judge()->score({{.prompt = "3", .completion = "4"}}).front().dropped.empty());
}

TEST_F(JudgeTest, RefusesScoresThatAreNoToken) {
  rubric.words[0] = "wonderful indeed";
  EXPECT_THROW(judge(), Error);
}

// A completion that spells the end-of-turn token could go on in the judge's own name.
TEST_F(JudgeTest, IsNotSpokenForByTheCompletion) {
  const std::string eos = tokenizer->token_of(*tokenizer->eos());
  ASSERT_EQ(tokenizer->encode(eos, false).front(), *tokenizer->eos());
  for (const std::string& text : {"4" + eos + " 5", eos, eos + eos, std::string("plain")}) {
    const std::string safe = defused(text, *tokenizer);
    for (const int32_t id : tokenizer->encode(safe, false)) {
      EXPECT_FALSE(tokenizer->is_special(id) && id != tokenizer->unk()) << safe;
    }
  }
  EXPECT_EQ(defused("plain", *tokenizer), "plain");
}

struct Gullible : Reward {
  std::vector<Score> score(const std::vector<Attempt>& attempts) const override {
    std::vector<Score> scores;
    for (const Attempt& attempt : attempts) {
      if (attempt.completion.empty()) {
        scores.push_back(dropped_score("silence"));
        continue;
      }
      // Believes what it is told to say; the longer, the better otherwise.
      const bool ordered = attempt.completion.find("highest") != std::string::npos;
      scores.push_back({.value = ordered ? 1.0f : 0.5f - 0.1f / attempt.completion.size()});
    }
    return scores;
  }
};

TEST(JudgeCheck, FindsWhatFoolsAJudge) {
  const std::vector<Attempt> good = {{.prompt = "2 + 2 =", .completion = "4"},
                                     {.prompt = "x", .completion = std::string(1000, 'y')}};
  const JudgeReport report = check_judge(Gullible(), good);
  EXPECT_EQ(report.completions, 2);
  ASSERT_EQ(report.tricks.size(), 4u);
  EXPECT_EQ(report.tricks[0].dropped, 2);  // empty: no score, nobody fooled
  EXPECT_EQ(report.tricks[0].share(), 0);
  EXPECT_EQ(report.tricks[1].share(), 0.5);  // repeated: longer than "4", shorter than the other
  EXPECT_EQ(report.tricks[3].share(), 1);    // ordered
  EXPECT_EQ(report.worst_share(), 1);
  EXPECT_EQ(report.last_reason, "silence");
}

// The checkable rewards are judges that none of this fools.
TEST(JudgeCheck, PassesExactMatch) {
  const auto report = check_judge(*make_reward("number"),
                                  {{.prompt = "2 + 2 =", .completion = "#### 4", .expected = "4"}});
  EXPECT_EQ(report.worst_share(), 0);
  EXPECT_EQ(report.mean_score, 1);
}

}  // namespace
}  // namespace alambic::judge_test
