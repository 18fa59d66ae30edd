#include "alambic/provenance/slsa.h"

#include "tests/provenance/record_fixture.h"

namespace alambic::slsa_test {
namespace {

struct Slsa : RecordFixture {
  KeyHandle key = new_key(Curve::p256);

  nlohmann::json full_record() const {
    nlohmann::json full = record();
    full["tool"] = {{"name", "alambic"}, {"version", "0"}, {"files", nlohmann::json::array()}};
    full["clock"]["started"] = full["clock"]["updated"] = "2026-11-29T00:00:00Z";
    return full;
  }
  SignedManifest sign() const {
    const SignedManifest manifest = sign_folder(model, {.key = key}, {});
    write_slsa(model, {.key = key}, manifest, full_record());
    return manifest;
  }
};

TEST_F(Slsa, IsAboutTheRootThatIsSigned) {
  const SignedManifest manifest = sign();
  EXPECT_TRUE(check_folder(model, {.key = key}, {}).faults.empty());
  EXPECT_TRUE(slsa_faults(model, {.key = key}, manifest).empty());
  const auto json = nlohmann::json::parse(slsa_statement(manifest, full_record()));
  EXPECT_EQ(json["predicateType"], "https://slsa.dev/provenance/v1");
  EXPECT_EQ(json["subject"][0]["digest"]["sha256"], manifest.root);
  EXPECT_EQ(json["predicate"]["buildDefinition"]["resolvedDependencies"].size(), 2u);
  EXPECT_EQ(json["predicate"]["runDetails"]["metadata"]["startedOn"], "2026-11-29T00:00:00Z");
}

TEST_F(Slsa, OfAnotherFolderOrSignerIsFound) {
  SignedManifest manifest = sign();
  EXPECT_EQ(slsa_faults(model, {.key = new_key(Curve::p256)}, manifest).size(), 1u);
  manifest.root = std::string(64, '0');
  const auto faults = slsa_faults(model, {.key = key}, manifest);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].where, slsa_name);
  write_file(model / slsa_name, "{}");
  EXPECT_THROW(slsa_faults(model, {.key = key}, manifest), Error);
}

TEST_F(Slsa, NeedsAWholeRecord) {
  EXPECT_THROW(slsa_statement({}, nlohmann::json::object()), Error);
}

}  // namespace
}  // namespace alambic::slsa_test
