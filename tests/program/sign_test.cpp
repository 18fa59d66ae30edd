// keygen, sign, verify and policy check as a maker, a receiver and an attacker use them.
#include <cstdlib>

#include "tests/program/program.h"
#include "tests/provenance/record_fixture.h"

namespace alambic::sign_test {
namespace {

struct SignCommands : RecordFixture {
  std::string at(const std::string& name) const { return (scratch.path() / name).string(); }
  std::string folder() const { return model.string(); }

  void SetUp() override {
    RecordFixture::SetUp();
    nlohmann::json full = record();
    full["tool"]["files"] = nlohmann::json::array();
    full["clock"]["started"] = full["clock"]["updated"] = "2026-11-29T00:00:00Z";
    full["policy"] = {{"verdict", "permitted"}, {"overrides", nlohmann::json::array()}};
    write_record(run, full);
    write_record(model, full);
    expect(0, "keygen --out " + at("maker"), "keep it to yourself");
    expect(0, "sign " + folder() + " --key " + at("maker"), "3 files signed");
  }
  static void expect(int code, const std::string& arguments, const std::string& words) {
    const Outcome outcome = alambic(arguments);
    EXPECT_EQ(outcome.code, code) << arguments << "\n" << outcome.text;
    EXPECT_NE(outcome.text.find(words), std::string::npos) << arguments << "\n" << outcome.text;
  }
  void expect_verify(int code, const std::string& words, const std::string& more = "") const {
    expect(code, "verify " + folder() + " --key " + at("maker.pub") + " " + more, words);
  }
};

TEST_F(SignCommands, ShowWhoSignedWhat) {
  expect_verify(0, "(self-reported)", "--policy");
  expect_verify(0, "\"verified\":true", "--json");
  expect_verify(0, "verified", "--html " + at("page.html"));
  EXPECT_NE(read_file(at("page.html")).find("What made it"), std::string::npos);
}

TEST_F(SignCommands, FindWhatAnAttackerDoes) {
  const std::string whole = at("whole");
  fs::copy(model, whole, fs::copy_options::recursive);
  const auto again = [&] {
    fs::remove_all(model);
    fs::copy(whole, model, fs::copy_options::recursive);
  };
  fs::remove(model / record_name);
  expect_verify(4, "missing: provenance/record.json");
  expect(0, "keygen --out " + at("other"), "");
  expect(0, "sign " + folder() + " --key " + at("other") + " --overwrite", "");
  expect_verify(4, "another key");
  again();
  write_file(model / "model.safetensors", std::string(100, 'x'));
  expect_verify(4, "altered: model.safetensors");
  again();
  fs::remove(model / "model.sig");
  expect_verify(4, "not signed");
  again();
  nlohmann::json other = *read_record(model);
  other["seed"] = 2;
  write_record(model, other);
  expect_verify(4, "altered: provenance/record.json");
  again();
  nlohmann::json another = *read_record(run);  // another model's
  another["student"]["name"] = "another";
  write_record(model, another);
  expect_verify(4, "altered: provenance/record.json");
  again();
  fs::rename(model / "model.safetensors", model / "model-2.safetensors");
  expect_verify(4, "renamed: model.safetensors: is now called model-2.safetensors");
  again();
  fs::remove(model / "provenance/slsa.sigstore.json");
  expect_verify(0, "verified");
}

// One number of a run's log, in a signed run and by one who signs it again.
TEST_F(SignCommands, FindAnEditedFigure) {
  const std::string of_run = "verify " + run.string() + " --key ";
  expect(0, "sign " + run.string() + " --key " + at("maker"), "files signed");
  expect(0, of_run + at("maker.pub"), "verified");
  std::string text = read_file(run / "metrics.jsonl");
  text.replace(text.find("\"loss\":0.5"), 10, "\"loss\":0.1");
  write_file(run / "metrics.jsonl", text);
  expect(4, of_run + at("maker.pub"), "altered: metrics.jsonl");
  expect(0, "sign " + run.string() + " --key " + at("maker") + " --overwrite", "");
  expect(4, of_run + at("maker.pub"), "chain: metrics.jsonl:2: was altered");
}

// A run that was asked by a table without the rule on its teacher.
TEST_F(SignCommands, FindADowngradedPolicy) {
  nlohmann::json other = *read_record(model);
  nlohmann::json teacher = other["student"];
  teacher["name"] = "meta-llama/Llama-2-7b";
  other["teachers"].push_back(teacher);
  write_record(model, other);
  expect(0, "sign " + folder() + " --key " + at("maker") + " --overwrite", "");
  expect_verify(0, "teacher    meta-llama/Llama-2-7b");
  expect_verify(4, "llama-2 (no)", "--policy");
}

TEST_F(SignCommands, HoldTheMachineAgainstWhatWasDeclared) {
  const std::string source = std::string(ALAMBIC_SOURCE_DIR) + "/tests/provenance/fake_nvml.c";
  ASSERT_EQ(std::system(("cc -shared -fPIC -o " + at("nvml.so") + " " + source).c_str()), 0);
  ::setenv("ALAMBIC_NVML", at("nvml.so").c_str(), 1);
  write_file(at("p.toml"), "[hardware]\n[[hardware.device]]\nname = \"NVIDIA H100*\"\n");
  const std::string check =
      "policy check --gpu --student " + folder() + " --policy " + at("p.toml");
  expect(4, check, "NVIDIA H200 (GPU-0) is not declared");
  write_file(at("p.toml"), "[hardware]\n[[hardware.device]]\nname = \"NVIDIA H200*\"\n");
  expect(0, check, "permitted");
  expect(4, check + " --policy-key " + at("maker.pub"), "not signed");
  expect(0, "sign " + at("p.toml") + " --key " + at("maker"), "1 files signed");
  expect(0, check + " --policy-key " + at("maker.pub"), "permitted");
  ::unsetenv("ALAMBIC_NVML");
}

TEST_F(SignCommands, HoldTheRecordToTheFilesWhoeverSigned) {
  nlohmann::json other = *read_record(model);
  other["output"]["files"].erase(0);
  write_record(model, other);
  expect(0, "sign " + folder() + " --key " + at("maker") + " --overwrite", "");
  expect_verify(4, "added: config.json");
}

TEST_F(SignCommands, FailForAnOverrideWhereThePolicyIsAsked) {
  nlohmann::json other = *read_record(model);
  other["policy"]["overrides"] = {{{"rule", "llama-2"}, {"reason", "trial"}}};
  write_record(model, other);
  expect(0, "sign " + folder() + " --key " + at("maker") + " --overwrite", "");
  expect_verify(0, "overridden llama-2: trial");
  expect_verify(4, "the policy was overridden", "--policy");
}

TEST_F(SignCommands, WantARecord) {
  fs::remove(model / record_name);
  expect(0, "sign " + folder() + " --key " + at("maker") + " --overwrite", "2 files signed");
  expect_verify(4, "nothing tells what made this model");
  expect_verify(0, "verified", "--without-record");
}

TEST_F(SignCommands, RefuseBadWords) {
  expect(2, "verify " + folder(), "--key");
  expect(2, "verify " + at("none") + " --key " + at("maker.pub"), "not a folder");
  expect(2, "verify " + folder() + " --key " + at("maker"), "private key");
  expect(2, "sign " + folder() + " --key " + at("maker"), "model.sig");
  expect(2, "keygen --out " + at("maker"), "never replaced");
}

TEST_F(SignCommands, ExportTheRecord) {
  for (const char* form : {"spdx", "cyclonedx", "card", "annex-xi"}) {
    const Outcome outcome =
        alambic("record export " + folder() + " --form " + form + " --out " + at(form));
    EXPECT_NE(outcome.code, 70) << outcome.text;
  }
  EXPECT_NE(read_file(at("card")).find("What made this model"), std::string::npos);
}

TEST_F(SignCommands, AskThePolicy) {
  expect(0, "policy check --student " + folder(), "permitted");
  expect(4, "policy check --student " + folder() + " --teacher-host api.openai.com", "openai-api");
  expect(2, "policy check --student " + folder() + " --attest x=y", "--attested-by");
}

}  // namespace
}  // namespace alambic::sign_test
