// Whole runs through the library, with no command line.
#include "alambic/jobs/distill.h"

#include <algorithm>

#include "alambic/jobs/check.h"
#include "alambic/jobs/train.h"
#include "alambic/model/pretrained.h"
#include "tests/jobs/run_fixture.h"

namespace alambic::distill_test {
namespace {

struct Jobs : RunFixture {};

bool same_weights(const std::string& left, const std::string& right) {
  return read_file(fs::path(left) / "model.safetensors") ==
         read_file(fs::path(right) / "model.safetensors");
}

// Bug: a run that only the command line can start.
TEST_F(Jobs, DistillAStudentWithoutACommandLine) {
  DistillOptions options = distillation("run");
  options.valid_data = at("rows.jsonl");
  options.training.save_every = 2;
  const RunResult result = jobs::distill(options);
  EXPECT_EQ(result.ending, RunEnding::finished);
  EXPECT_EQ(result.steps, 4);
  EXPECT_EQ(result.model, folder / "run/model");
  const auto is_kl = [](const auto& figure) { return figure.first == "valid_reverse_kl"; };
  EXPECT_TRUE(std::ranges::any_of(result.validation, is_kl));
  for (const char* name : {"config.toml", "metrics.jsonl", "samples.jsonl",
                           "checkpoints/step-00000004", "model/README.md"}) {
    EXPECT_TRUE(fs::exists(folder / "run" / name)) << name;
  }
  EXPECT_FALSE(fs::exists(folder / "run/run.lock"));
  EXPECT_EQ(metrics_of("run").size(), 4u);
  EXPECT_FALSE(same_weights(at("run/model"), at("student")));
  EXPECT_GT(from_pretrained(at("run/model"), {}).vocabulary, 0);
}

TEST_F(Jobs, TrainAModelWithoutACommandLine) {
  const RunResult result = jobs::train(training("run"));
  EXPECT_EQ(result.ending, RunEnding::finished);
  EXPECT_EQ(metrics_of("run").size(), 4u);
  EXPECT_FALSE(same_weights(at("run/model"), at("student")));
}

TEST_F(Jobs, CheckADistillationAndWriteNothing) {
  DistillOptions options = distillation("run");
  const Findings findings = jobs::check(options);
  EXPECT_NE(verdict(findings), Level::refused) << table(findings);
  const auto is_step = [](const Finding& finding) { return finding.subject == "first batch"; };
  EXPECT_TRUE(std::ranges::any_of(findings, is_step)) << table(findings);
  EXPECT_FALSE(fs::exists(folder / "run"));
}

// Bug: minutes of loading before a word is found to be wrong.
TEST_F(Jobs, RefuseBeforeAnythingIsLoaded) {
  DistillOptions options = distillation("run");
  options.student = at("missing");
  options.loss.objective = "forward_lk";
  try {
    jobs::distill(options);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("forward_lk"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace alambic::distill_test
