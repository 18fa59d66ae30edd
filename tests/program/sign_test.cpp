// keygen, sign, verify and policy check as a maker, a receiver and an attacker use them.
#include "tests/program/program.h"
#include "tests/provenance/record_fixture.h"

namespace alambic {
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
  fs::remove(model / "provenance/slsa.sigstore.json");
  expect_verify(0, "verified");
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
}  // namespace alambic
