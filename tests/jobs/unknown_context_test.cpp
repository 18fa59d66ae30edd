// Teachers whose servers do not tell their context.
#include "alambic/jobs/distill.h"
#include "tests/jobs/run_fixture.h"
#include "tests/remote/toy_server.h"

namespace alambic::unknown_context_test {
namespace {

struct UnknownContext : RunFixture {
  Tokenizer tokenizer =
      Tokenizer::load(fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer");
  ToyTeacher teacher{.tokenizer = tokenizer,
                     .context = 44,
                     .tells_context = false,
                     .too_long = R"({"error":{"message":"maximum context length: 44"}})"};
  LoopbackServer server{
      [this](const ServedRequest& request) { return teacher.reply(Protocol::echo, request); }};

  DistillOptions options(const std::string& out) const {
    DistillOptions options = distillation(out);
    options.teachers.teacher = {server.address() + "/v1"};
    options.teachers.remote.protocol = Protocol::echo;
    options.loss.kd_topk = 4;
    return options;
  }
  /// Adds a row of so many tokens.
  void add_row(int64_t tokens) const {
    std::string text = "1";
    while (std::ssize(tokenizer.encode(text, false)) < tokens) text += " + 1";
    write_file(at("rows.jsonl"), read_file(at("rows.jsonl")) +
                                     Json{{"prompt", text}, {"completion", " 2"}}.dump() + "\n");
  }
  /// Lengths of the texts that were asked for, those of probes included.
  std::vector<int64_t> asked() const {
    std::vector<int64_t> lengths;
    for (const ServedRequest& request : server.requests()) {
      if (!request.body.empty()) lengths.push_back(ToyTeacher::longest(Json::parse(request.body)));
    }
    return lengths;
  }
};

// Bug: the server's refusal ends the run in the middle of a step, half of whose grades are paid
// for.
TEST_F(UnknownContext, RowsThatDoNotFitAreLeftOutBeforeTheRun) {
  add_row(50);
  DistillOptions long_rows = options("run");
  long_rows.long_rows.on_long_row = OnLongRow::skip;
  long_rows.training.max_steps = 0;
  long_rows.training.epochs = 1;
  long_rows.training.batch_size = 3;
  EXPECT_EQ(jobs::distill(long_rows).ending, RunEnding::finished);
  EXPECT_EQ(metrics_of("run").size(), 3u) << "eight rows";
  const std::vector<int64_t> lengths = asked();
  EXPECT_EQ(std::ranges::count_if(lengths, [](int64_t length) { return length > 43; }), 1);
  const Json kept = Json::parse(read_file(folder / "run/remote.json"));
  EXPECT_EQ(kept["servers"][0]["context"], 44);
}

TEST_F(UnknownContext, ALongRowIsNamedBeforeItsGradesArePaidFor) {
  add_row(50);
  try {
    jobs::distill(options("run"));
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("rows.jsonl:9"), std::string::npos) << error.what();
    EXPECT_NE(error.hint().find("--on-long-row"), std::string::npos) << error.hint();
  }
  EXPECT_LE(asked().size(), 4u) << "three of the probe and the long one";
}

// Bug: own completions grow beyond what the server can read.
TEST_F(UnknownContext, CompletionsThatDoNotFitAreToldBeforeTheRun) {
  DistillOptions long_completions = options("run");
  long_completions.max_completion_length = 42;
  try {
    jobs::distill(long_completions);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("context of 43"), std::string::npos) << error.what();
    EXPECT_NE(error.hint().find("--max-completion-length"), std::string::npos) << error.hint();
  }
}

// Bug: a server that holds everything is asked more than once for its length.
TEST_F(UnknownContext, ASufficientOneCostsOneText) {
  add_row(34);
  EXPECT_EQ(jobs::distill(options("run")).ending, RunEnding::finished);
  EXPECT_EQ(asked().size(), 4u + 16u) << "the probe's, the longest, and those of four steps";
}

}  // namespace
}  // namespace alambic::unknown_context_test
