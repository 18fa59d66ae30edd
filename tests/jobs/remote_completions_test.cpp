// Completions that a server writes.
#include <atomic>
#include <map>

#include "alambic/jobs/distill.h"
#include "tests/jobs/run_fixture.h"
#include "tests/loopback_server.h"

namespace alambic::remote_completions_test {
namespace {

struct RemoteCompletions : RunFixture {
  std::atomic<int> left = 1000;
  std::string long_prompt = "none";  // which the server refuses
  LoopbackServer server{[this](const ServedRequest& request) {
    if (request.path == "/v1/models") return ServedReply{.body = R"({"data":[{"id":"writer"}]})"};
    if (left-- <= 0) return ServedReply{.status = 401};
    if (request.body.find(long_prompt) != std::string::npos) {
      return ServedReply{
          .status = 400,
          .body = R"({"error":{"message":"This model's maximum context length is 9 tokens."}})"};
    }
    const bool chat = request.path == "/v1/chat/completions";
    const Json text = " 5 6";
    Json choice = {{"finish_reason", "stop"}};
    chat ? choice["message"]["content"] = text : choice["text"] = text;
    return ServedReply{.body = Json{{"choices", {choice}},
                                    {"usage", {{"prompt_tokens", 4}, {"completion_tokens", 3}}}}
                                   .dump()};
  }};

  DistillOptions options(const std::string& out) const {
    DistillOptions options = distillation(out);
    options.teachers.teacher = {server.address()};
    options.loss.objective = "cross_entropy";
    options.lmbda = 0;
    options.completions.by = CompletionsBy::teacher;
    options.completions.file = at("completions.jsonl");
    return options;
  }
  int asked() const {
    int count = 0;
    for (const ServedRequest& request : server.requests()) count += !request.body.empty();
    return count;
  }
};

// Bug: text that is paid for anew by a second run, or lost when the first one ends early.
TEST_F(RemoteCompletions, AreAskedForOnce) {
  left = 3;
  EXPECT_THROW(jobs::distill(options("broken")), Error);
  left = 1000;
  EXPECT_EQ(jobs::distill(options("run")).ending, RunEnding::finished);
  std::map<std::string, int> times;
  for (const ServedRequest& request : server.requests()) ++times[request.body];
  times.erase("");
  EXPECT_EQ(times.size(), 8u);
  const int before = asked();
  EXPECT_EQ(before, 8 + 5) << "eight prompts, five of which were refused at first";
  EXPECT_EQ(jobs::distill(options("again")).ending, RunEnding::finished);
  EXPECT_EQ(asked(), before);
  const std::string kept = read_file(at("completions.jsonl"));
  EXPECT_NE(kept.find(R"("completion":" 5 6","ended":true)"), std::string::npos) << kept;
}

TEST_F(RemoteCompletions, StopBeforeTheBudgetIsSpent) {
  DistillOptions frugal = options("run");
  frugal.teachers.remote.budget_tokens = 100;
  try {
    jobs::distill(frugal);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::stopped) << error.what();
  }
  EXPECT_LT(asked(), 8);
}

// Bug: one prompt that a server finds too long ends the run, which has paid for the others.
TEST_F(RemoteCompletions, RowsTooLongForTheServerAreLeftOut) {
  long_prompt = "5 + 1 =";
  DistillOptions all = options("run");
  all.teachers.remote.protocol = Protocol::chat;  // prompts as text
  try {
    jobs::distill(all);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input) << error.what();
    EXPECT_NE(std::string(error.what()).find("rows.jsonl:6"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("9 tokens"), std::string::npos) << error.what();
    EXPECT_NE(error.hint().find("--on-long-row skip"), std::string::npos) << error.hint();
  }
  EXPECT_EQ(asked(), 8) << "the others are written";
  all.long_rows.on_long_row = OnLongRow::skip;
  all.training.max_steps = 0;
  all.training.epochs = 1;
  all.training.batch_size = 1;
  EXPECT_EQ(jobs::distill(all).ending, RunEnding::finished);
  EXPECT_EQ(asked(), 8 + 1) << "what is kept is not asked for again";
  EXPECT_EQ(metrics_of("run").size(), 7u);
}

// Bug: what a teacher's completions have cost is in no record.
TEST_F(RemoteCompletions, WhatTheyCostIsInTheRecord) {
  for (const char* run : {"run", "again"}) {  // which takes those of the first one's file
    ASSERT_EQ(jobs::distill(options(run)).ending, RunEnding::finished);
    const auto record = nlohmann::json::parse(read_file(folder / run / "provenance/record.json"));
    const nlohmann::json spent = {
        {"replies", 8}, {"input_tokens", 4 * 8}, {"output_tokens", 3 * 8}};
    EXPECT_EQ(record["teachers"][0]["spent"], spent) << run;
    EXPECT_EQ(record["counters"]["teacher_calls"], 8) << run;
  }
}

TEST_F(RemoteCompletions, ByAChatOfOneMessage) {
  DistillOptions chats = options("run");
  chats.teachers.remote.protocol = Protocol::chat;
  EXPECT_EQ(jobs::distill(chats).ending, RunEnding::finished);
  EXPECT_EQ(server.requests().back().path, "/v1/chat/completions");
  const Json body = Json::parse(server.requests().back().body);
  EXPECT_NE(body["messages"][0]["content"].get<std::string>().find(" + 1 ="), std::string::npos);
  EXPECT_EQ(body["max_tokens"], 6);
}

}  // namespace
}  // namespace alambic::remote_completions_test
