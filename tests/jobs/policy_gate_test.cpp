// A run asks the policy before it loads anything, and its record keeps the answer.
#include "alambic/jobs/policy_gate.h"

#include <functional>

#include "alambic/jobs/distill.h"
#include "alambic/jobs/train.h"
#include "alambic/provenance/run_record.h"
#include "tests/jobs/run_fixture.h"

namespace alambic {
namespace {

struct PolicyGate : RunFixture {
  void license(const std::string& model, const std::string& text) const {
    write_file(folder / model / "LICENSE", text);
  }
  static Exit exit_of(const std::function<void()>& run, std::string& text) {
    try {
      run();
    } catch (const Error& error) {
      text = error.what() + error.hint();
      return error.exit();
    }
    return Exit::done;
  }
};

TEST_F(PolicyGate, RefusesBeforeAnythingIsWritten) {
  license("teacher", "LLAMA 2 COMMUNITY LICENSE AGREEMENT");
  DistillOptions options = distillation("run");
  std::string text;
  EXPECT_EQ(exit_of([&] { jobs::distill(options); }, text), Exit::refused);
  EXPECT_NE(text.find("llama-2"), std::string::npos) << text;
  EXPECT_FALSE(fs::exists(folder / "run"));
  options.policy.override_policy = {"llama-2=a trial"};
  jobs::distill(options);
  const nlohmann::json policy = (*read_record(folder / "run"))["policy"];
  EXPECT_EQ(policy["verdict"], "permitted");
  EXPECT_EQ(policy["overrides"][0]["reason"], "a trial");
}

// Prevents: a distilled model whose teacher's terms are forgotten by the next run.
TEST_F(PolicyGate, RemembersTheTermsOfTheTeachersTeacher) {
  license("teacher", "Gemma Terms of Use");
  write_file(folder / "teacher/README.md", "---\nlicense: gemma\n---\n");
  fs::remove(folder / "teacher/LICENSE");
  DistillOptions first = distillation("first");
  first.policy = {.attested_by = "me", .attest = {"gemma=passed on"}};
  jobs::distill(first);
  DistillOptions second = distillation("second");
  second.teachers.teacher = {at("first/model")};
  std::string text;
  EXPECT_EQ(exit_of([&] { jobs::distill(second); }, text), Exit::refused);
  EXPECT_NE(text.find("gemma (conditional)"), std::string::npos) << text;
}

TEST_F(PolicyGate, AsksOfTrainingToo) {
  license("student", "terms of nobody");
  std::string text;
  EXPECT_EQ(exit_of([&] { jobs::train(training("run")); }, text), Exit::refused);
  EXPECT_NE(text.find("--attest"), std::string::npos) << text;
}

}  // namespace
}  // namespace alambic
