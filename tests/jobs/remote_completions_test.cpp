// Completions that a server writes.
#include <atomic>
#include <map>

#include "alambic/jobs/distill.h"
#include "tests/jobs/run_fixture.h"
#include "tests/loopback_server.h"

namespace alambic {
namespace {

struct RemoteCompletions : RunFixture {
  std::atomic<int> left = 1000;
  LoopbackServer server{[this](const ServedRequest& request) {
    if (request.path == "/v1/models") return ServedReply{.body = R"({"data":[{"id":"writer"}]})"};
    if (left-- <= 0) return ServedReply{.status = 401};
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
}  // namespace alambic
