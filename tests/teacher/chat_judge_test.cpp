#include "alambic/teacher/chat_judge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "alambic/teacher/rewards.h"
#include "tests/loopback_server.h"

namespace alambic::chat_judge_test {
namespace {

using Json = nlohmann::json;

Json answer(const std::string& text, const Json& logprobs = nullptr) {
  return {{"choices", {{{"message", {{"content", text}}}, {"logprobs", logprobs}}}}};
}

Json candidates(const std::vector<std::pair<std::string, double>>& words) {
  Json top = Json::array();
  for (const auto& [word, probability] : words) {
    top.push_back({{"token", word}, {"logprob", std::log(probability)}});
  }
  return {{"content", {{{"token", "x"}, {"top_logprobs", top}}}}};
}

struct ChatJudgeTest : testing::Test {
  std::unique_ptr<Reward> judge(const LoopbackServer& server, bool pairs = false) {
    return load_reward({.judge = server.address() + "#judge", .judge_pairs = pairs}, {});
  }
  static const std::vector<Attempt>& attempts() {
    static const std::vector<Attempt> all = {{.prompt = "2 + 2?", .completion = "4"},
                                             {.prompt = "2 + 3?", .completion = "good"}};
    return all;
  }
};

// Bug: the most likely word counts, and two answers of 49 % and 51 % are five grades apart.
TEST_F(ChatJudgeTest, ExpectsOverTheCandidates) {
  const LoopbackServer server([](const ServedRequest& request) {
    const bool good = request.body.find("good") != std::string::npos;
    return ServedReply{.body =
                           answer("x", good ? candidates({{"5", 0.5}, {" 4", 0.25}, {"The", 0.2}})
                                            : candidates({{"The", 0.9}, {"5", 0.01}}))
                               .dump()};
  });
  const auto scores = judge(server)->score(attempts());
  EXPECT_NE(scores[0].dropped.find("no score"), std::string::npos) << scores[0].dropped;
  EXPECT_NEAR(scores[1].value, (0.5 * 1 + 0.25 * 0.75) / 0.75, 1e-6);
}

// Bug: a model that gives no log-probabilities, and refuses to be asked for them, judges nothing.
TEST_F(ChatJudgeTest, TakesTheWordWhereThereAreNoCandidates) {
  const LoopbackServer server([](const ServedRequest& request) {
    if (Json::parse(request.body).contains("logprobs")) {
      return ServedReply{.status = 400,
                         .body = R"({"error":{"message":"logprobs are not supported"}})"};
    }
    const bool good = request.body.find("good") != std::string::npos;
    return ServedReply{.body = answer(good ? "**4** of 5" : "10").dump()};
  });
  const auto scores = judge(server)->score(attempts());
  EXPECT_NE(scores[0].dropped.find("\"10\""), std::string::npos) << scores[0].dropped;
  EXPECT_FLOAT_EQ(scores[1].value, 0.75F);
}

// Bug: one completion that a judge cannot read ends the run.
TEST_F(ChatJudgeTest, ScoresNothingThatItsContextDoesNotHold) {
  const LoopbackServer server([](const ServedRequest& request) {
    if (request.body.find("good") == std::string::npos) {
      return ServedReply{
          .status = 400,
          .body = R"({"error":{"message":"This model's maximum context length is 64 tokens."}})"};
    }
    return ServedReply{.body = answer("x", candidates({{"5", 1}})).dump()};
  });
  const auto scores = judge(server)->score(attempts());
  EXPECT_NE(scores[0].dropped.find("context of 64 tokens"), std::string::npos) << scores[0].dropped;
  EXPECT_FLOAT_EQ(scores[1].value, 1);
}

// Bug: of a judge without log-probabilities one draw is the score, with no word of how sure it is.
TEST_F(ChatJudgeTest, AveragesDrawnVerdictsWhereThereAreNoCandidates) {
  const LoopbackServer server([](const ServedRequest& request) {
    const Json json = Json::parse(request.body);
    if (json["temperature"] == 0) return ServedReply{.body = answer("5").dump()};
    const bool good = request.body.find("good") != std::string::npos;
    const int64_t seed = json["seed"];
    // Of four draws three are scores, or one.
    if (good ? seed == 2 : seed != 2) return ServedReply{.body = answer("Hm").dump()};
    return ServedReply{.body = answer(seed == 1 ? "5" : "3").dump()};
  });
  const auto reward = load_reward({.judge = server.address() + "#judge", .judge_samples = 4}, {});
  const auto scores = reward->score(attempts());
  EXPECT_NE(scores[0].dropped.find("Hm"), std::string::npos);
  EXPECT_NEAR(scores[1].value, (1 + 0.5 + 0.5) / 3, 1e-6);
  EXPECT_EQ(server.requests().size(), 2u + 8u);
}

// Bug: a judge that prefers the first completion is worth more than a coin.
TEST_F(ChatJudgeTest, AsksPairsInBothOrders) {
  const LoopbackServer server(
      [](const ServedRequest&) { return ServedReply{.body = answer("A").dump()}; });
  std::vector<Attempt> pairs = attempts();
  for (Attempt& one : pairs) one.expected = "5";
  for (const Score& score : judge(server, true)->score(pairs)) EXPECT_FLOAT_EQ(score.value, 0.5F);
  EXPECT_EQ(server.requests().size(), 4u);
}

}  // namespace
}  // namespace alambic::chat_judge_test
