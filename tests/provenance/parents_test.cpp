// The records of a model's parents, and which of them somebody whom we trust has signed.
#include "alambic/provenance/parents.h"

#include <fstream>

#include "alambic/base/sha256.h"
#include "alambic/provenance/record_lines.h"
#include "tests/provenance/record_fixture.h"

namespace alambic::parents_test {
namespace {

struct Parents : RecordFixture {
  KeyHandle key = new_key(Curve::p256);

  nlohmann::json verified(const KeyHandle& trusted) const {
    DigestMemo memo;
    return verified_parents_of({model}, {{.key = trusted}}, memo);
  }
  void sign() const { sign_folder(model, {.key = key}, {}); }
  // The model's own record has a parent that was verified when it was made.
  void give_a_parent() const {
    nlohmann::json made = record();
    nlohmann::json parent = {{"sha256", std::string(64, '0')}, {"name", "first"}};
    parent["verified"] = true;
    parent["signer"] = "P-256 key";
    parent["student"] = {{"name", "base"}, {"license", {{"id", "mit"}}}};
    parent["teachers"] = parent["parents"] = nlohmann::json::array();
    made["parents"].push_back(parent);
    write_record(model, made);
  }
};

TEST_F(Parents, TakeOverStudentTeachersAndLicenses) {
  const nlohmann::json parents = parents_of({model, scratch.path(), model / "config.json"});
  ASSERT_EQ(parents.size(), 1u);
  EXPECT_EQ(parents[0]["sha256"], sha256_file(model / record_name));
  EXPECT_EQ(parents[0]["verified"], false);
  EXPECT_EQ(parents[0]["student"]["license"]["told_by"], "none");
  EXPECT_EQ(parents[0]["student"]["root"], (*read_record(model))["student"]["root"]);
}

TEST_F(Parents, AreVerifiedByTheirSignatures) {
  sign();
  nlohmann::json parents = verified(key);
  EXPECT_EQ(parents[0]["verified"], true) << parents.dump();
  EXPECT_EQ(parents[0]["root"], check_folder(model, {.key = key}, {}).manifest.root);
  EXPECT_NE(parents[0]["signer"].dump().find("P-256"), std::string::npos);
  parents = verified(new_key(Curve::p384));
  EXPECT_EQ(parents[0]["verified"], false);
  EXPECT_NE(parents[0]["why"].dump().find("another key"), std::string::npos) << parents.dump();
}

// Bug: a parent's signature was looked at, and its files were not.
TEST_F(Parents, ThatWereAlteredAreNot) {
  sign();
  write_file(model / "model.safetensors", std::string(100, 'v'));
  const nlohmann::json parents = verified(key);
  EXPECT_EQ(parents[0]["verified"], false);
  EXPECT_NE(parents[0]["why"].dump().find("model.safetensors"), std::string::npos);
  fs::remove(model / signature_name);
  EXPECT_NE(verified(key)[0]["why"].dump().find("not signed"), std::string::npos);
}

// Bug: "verified" of a grandparent was believed, though nobody vouched for the record that says it.
TEST_F(Parents, VouchForTheirOwnOnlyIfTheyAreVerified) {
  give_a_parent();
  sign();
  EXPECT_EQ(verified(key)[0]["parents"][0]["verified"], true);
  const nlohmann::json other = verified(new_key(Curve::p256));
  EXPECT_EQ(other[0]["parents"][0]["verified"], false);
  EXPECT_EQ(parents_of({model})[0]["parents"][0]["verified"], false);
}

TEST_F(Parents, ArePrintedAsAChain) {
  give_a_parent();
  sign();
  nlohmann::json child = record();
  child["parents"] = verified(key);
  std::string text;
  for (const auto& [name, line] : record_lines(child)) text += name + " " + line + "\n";
  EXPECT_NE(text.find("parent model, record "), std::string::npos) << text;
  EXPECT_NE(text.find("verified, signed by P-256"), std::string::npos) << text;
  EXPECT_NE(text.find("parent's parent first, record 0000000000000000, from base (mit)"),
            std::string::npos)
      << text;
}

// Prevents: a model that is student and teacher, or a parent that is checked, being read twice.
TEST_F(Parents, AreNotReadAgain) {
  DigestMemo memo;
  const std::string root = model_facts("m", model, &memo)["root"];
  const auto time = fs::last_write_time(model / "model.safetensors");
  const uint64_t bytes = fs::file_size(model / "model.safetensors");
  std::fstream file(model / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  file << std::string(bytes, 'x');
  file.close();
  fs::last_write_time(model / "model.safetensors", time);
  EXPECT_EQ(model_facts("m", model, &memo)["root"], root) << "same file, size and time";
  write_file(model / "model.safetensors", std::string(bytes, 'y'));
  EXPECT_NE(model_facts("m", model, &memo)["root"], root) << "another file";
}

}  // namespace
}  // namespace alambic::parents_test
