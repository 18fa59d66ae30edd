// A run asks the policy before it loads anything, and its record keeps the answer.
#include "alambic/jobs/policy_gate.h"

#include <functional>

#include "alambic/jobs/distill.h"
#include "alambic/jobs/train.h"
#include "alambic/provenance/run_record.h"
#include "tests/jobs/run_fixture.h"

namespace alambic::policy_gate_test {
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

// Bug: the terms of a server are asked for after its first reply, or not at all.
TEST_F(PolicyGate, AsksTheTermsOfAHostBeforeItIsSpokenTo) {
  DistillOptions options = distillation("run");
  options.loss.kd_topk = 5;
  std::string text;
  const auto run = [&] { jobs::distill(options); };
  options.teachers.teacher = {"https://api.openai.com/v1#gpt"};
  EXPECT_EQ(exit_of(run, text), Exit::refused);
  EXPECT_NE(text.find("openai-api"), std::string::npos) << text;
  options.teachers.teacher = {"https://teacher.invalid/v1#m"};
  EXPECT_EQ(exit_of(run, text), Exit::refused);
  EXPECT_NE(text.find("teacher.invalid"), std::string::npos) << text;
  options.teachers.teacher = {"http://127.0.0.1:1"};
  options.teachers.remote.retries = 0;
  EXPECT_EQ(exit_of(run, text), Exit::stopped) << "this machine's terms are ours";
  options.loss.objective = "grpo";
  options.loss.kd_topk = 0;
  options.teachers.teacher.clear();
  options.num_generations = 2;
  options.reward.judge = "https://api.anthropic.com#judge";
  EXPECT_EQ(exit_of(run, text), Exit::refused);
  EXPECT_NE(text.find("anthropic-api"), std::string::npos) << text;
}

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

// Bug: a text that is known by its title alone, or by nobody, stood in the record as unknown, and
// the next generation was asked nothing.
TEST_F(PolicyGate, RemembersTermsThatOnlyATextTells) {
  const auto ask_of_second = [&](const std::string& terms, const PolicyOptions& policy) {
    license("teacher", terms);
    DistillOptions first = distillation("first");
    first.run.overwrite = true;
    first.policy = policy;
    jobs::distill(first);
    DistillOptions second = distillation("second");
    second.teachers.teacher = {at("first/model")};
    std::string text;
    EXPECT_EQ(exit_of([&] { ask_policy(second); }, text), Exit::refused) << terms;
    return text;
  };
  std::string text = ask_of_second("LLAMA 2 COMMUNITY LICENSE AGREEMENT",
                                   {.override_policy = {"llama-2=a trial"}});
  EXPECT_NE(text.find("llama-2 (no)"), std::string::npos) << text;
  text = ask_of_second("terms of nobody",
                       {.attested_by = "me", .attest = {"license of " + at("teacher") + "=read"}});
  EXPECT_NE(text.find("no rule knows 'text "), std::string::npos) << text;
}

TEST_F(PolicyGate, AsksOfTrainingToo) {
  license("student", "terms of nobody");
  std::string text;
  EXPECT_EQ(exit_of([&] { jobs::train(training("run")); }, text), Exit::refused);
  EXPECT_NE(text.find("--attest"), std::string::npos) << text;
}

// Bug: serve asked nothing, so that a model for research alone answered everybody.
TEST_F(PolicyGate, AsksBeforeServing) {
  license("teacher", "Creative Commons Attribution-NonCommercial 4.0 International");
  ServeOptions options;
  options.models = {"small=" + at("teacher")};
  options.machine.device = "cpu";
  std::string text;
  EXPECT_EQ(exit_of([&] { ask_policy(options); }, text), Exit::refused);
  EXPECT_NE(text.find("served model"), std::string::npos) << text;
  options.policy = {.attested_by = "me", .attest = {"cc-by-nc-4.0=for a course"}};
  ask_policy(options);
}

// Bug: a judge on this machine was asked nothing.
TEST_F(PolicyGate, AsksTheTermsOfAJudge) {
  license("teacher", "LLAMA 2 COMMUNITY LICENSE AGREEMENT");
  DistillOptions options = distillation("run");
  options.loss.objective = "grpo";
  options.teachers.teacher.clear();
  options.num_generations = 2;
  options.reward.judge = at("teacher");
  std::string text;
  EXPECT_EQ(exit_of([&] { ask_policy(options); }, text), Exit::refused);
  EXPECT_NE(text.find("llama-2"), std::string::npos) << text;
}

}  // namespace
}  // namespace alambic::policy_gate_test
