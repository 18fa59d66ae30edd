// What OpenSSF's own tool signed is verified here, and the other way round.
#include <cstdlib>

#include "alambic/provenance/old_signatures.h"

#include "tests/provenance/signed_fixture.h"

namespace alambic::model_signing_test {
namespace {

const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/model_signing";

struct ModelSigning : SignedFixture {
  void SetUp() override { fs::copy(golden / "model", folder, fs::copy_options::recursive); }

  void take(const std::string& name) const {
    fs::copy_file(golden / (name + ".sig"), signature(), fs::copy_options::overwrite_existing);
  }
  static TrustedSigner key_of(const std::string& name) {
    return {.key = read_public_key(golden / (name + ".pub"))};
  }
  static TrustedSigner roots_of(const std::string& name, std::time_t when = 1796083200) {
    return {.key = nullptr, .roots = read_certificates(golden / (name + ".pem")), .when = when};
  }
  void expect_refused(const TrustedSigner& trusted, const std::string& word) const {
    const CheckOutcome found = outcome(trusted);
    EXPECT_EQ(found.exit, Exit::refused) << found.text;
    EXPECT_NE(found.text.find(word), std::string::npos) << found.text;
  }
};

TEST_F(ModelSigning, ReadsSignaturesOfEveryCurve) {
  for (const std::string name : {"p256", "p384", "p521"}) {
    take(name);
    EXPECT_TRUE(outcome(key_of(name)).passed) << outcome(key_of(name)).text;
    expect_refused(key_of(name == "p256" ? "p384" : "p256"), "another key");
  }
}

TEST_F(ModelSigning, HasTheSameRoot) {
  take("p256");
  const SignedManifest theirs = check_folder(folder, key_of("p256"), {}).manifest;
  fs::remove(signature());
  const SignedManifest ours = manifest_of(folder, {});
  EXPECT_EQ(ours.root, theirs.root);
  EXPECT_EQ(parse_statement(statement_text(ours), "s").root, theirs.root);
}

TEST_F(ModelSigning, ReadsFilesInParts) {
  take("shards");
  EXPECT_TRUE(outcome(key_of("p256")).passed) << outcome(key_of("p256")).text;
  write_file(folder / "long", std::string(20, 'x') + std::string(30, 'y'));
  expect_refused(key_of("p256"), "altered: long:0:7");
}

TEST_F(ModelSigning, FollowsCertificates) {
  take("certificate");
  EXPECT_TRUE(outcome(roots_of("root")).passed) << outcome(roots_of("root")).text;
  EXPECT_EQ(check_folder(folder, roots_of("root"), {}).signer, "CN = Signer of models");
  expect_refused(roots_of("other_root"), "unable to get");
  expect_refused(roots_of("root", 0), "not yet valid");
  expect_refused(key_of("p256"), "signed with a certificate");
  take("p256");
  expect_refused(roots_of("root"), "without a certificate");
}

// What versions 0.2 to 1.0.1 wrote and 1.1.1 still verifies: the key in place of its hint, no list
// of what was left out, and of 0.2 another statement, other signed bytes and another hash.
TEST_F(ModelSigning, ReadsSignaturesOfOlderVersions) {
  const TrustedSigner by_key = key_of("old/own"), by_root = roots_of("old/root");
  for (const std::string version : {"0.3.1", "1.0.0", "1.0.1"}) {
    take("old/" + version + "-key");
    EXPECT_TRUE(outcome(by_key).passed) << version << outcome(by_key).text;
    expect_refused(key_of("p384"), "another key");
  }
  for (const std::string version : {"0.2.0", "1.0.0", "1.0.1"}) {
    take("old/" + version + "-certificate");
    EXPECT_TRUE(outcome(by_root).passed) << version << outcome(by_root).text;
    expect_refused(roots_of("other_root"), "unable to get");
    write_file(folder / "added", "");
    expect_refused(by_root, "added: added");
    fs::remove(folder / "added");
    write_file(folder / "a/b", "other");
    expect_refused(by_root, "altered: a/b");
    write_file(folder / "a/b", "one\n");
    write_file(folder / ".gitignore", "");
    EXPECT_TRUE(outcome(by_root).passed) << outcome(by_root).text;
    fs::remove(folder / ".gitignore");
  }
  // Another key under the trusted one's name.
  take("old/1.0.0-key");
  std::string text = read_file(signature());
  const size_t place = text.find("\"sig\": \"") + 30;
  text[place] = text[place] == 'A' ? 'B' : 'A';
  write_file(signature(), text);
  expect_refused(by_key, "does not hold");
}

// A file that is signed by itself, here and there.
TEST_F(ModelSigning, ReadsASingleFile) {
  const fs::path file = folder / "long";
  key = new_key(Curve::p256);
  sign_folder(file, {.key = key}, {});
  EXPECT_TRUE(check_folder(file, {.key = key}, {}).faults.empty());
  EXPECT_EQ(check_folder(file, {.key = key}, {}).manifest.resources[0].name, ".");
  write_file(file, "other");
  ASSERT_EQ(check_folder(file, {.key = key}, {}).faults.size(), 1u);
  // Not the signature of a folder.
  fs::copy_file(folder / "long.sig", signature());
  EXPECT_FALSE(check_folder(folder, {.key = key}, {}).faults.empty());
}

TEST(OldSignatures, AreOfBytesAsPythonPrintsThem) {
  EXPECT_EQ(signed_bytes_of_version_0_2("t", "{\n \"a\": '\\\xc3\xa9'}"),
            "DSSEV1 1 t 14 b'{\\n \"a\": \\'\\\\\\xc3\\xa9\\'}'");
  EXPECT_EQ(signed_bytes_of_version_0_2("", "it's"), "DSSEV1 0  4 b\"it's\"");
}

// The reference takes the beginning of a certificate for the time of the signature, and its key
// usage alone for enough.
TEST_F(ModelSigning, RefusesCertificatesThatAreOverOrForSomethingElse) {
  take("expired");
  expect_refused(roots_of("root"), "certificate has expired");
  EXPECT_TRUE(outcome(roots_of("root", 1700000000)).passed);
  for (const std::string name : {"server", "no_usage"}) {
    take(name);
    expect_refused(roots_of("root"), "not for signing");
  }
}

// The library itself, where the interpreter that ALAMBIC_ORACLE names has it.
TEST_F(ModelSigning, IsUnderstoodByTheLibraryItself) {
  const char* named = std::getenv("ALAMBIC_ORACLE");
  const std::string python = named == nullptr ? "python3" : named;
  if (std::system((python + " -c 'import model_signing' 2> /dev/null").c_str()) != 0) {
    GTEST_SKIP() << python << " has no model_signing; ALAMBIC_ORACLE names one that has";
  }
  const std::string at = scratch.path().string();
  for (const Curve curve : {Curve::p256, Curve::p384, Curve::p521}) {
    key = new_key(curve);
    fs::remove(at + "/key");
    fs::remove(at + "/key.pub");
    write_key_pair(at + "/key", key);
    sign();
    const std::string verify = fmt::format(
        "{} -m model_signing verify key --signature {}/model.sig --public_key {}/key.pub {} "
        "> {}/out 2>&1",
        python, folder.string(), at, folder.string(), at);
    EXPECT_EQ(std::system(verify.c_str()), 0) << read_file(at + "/out");
    const std::string sign_there = fmt::format(
        "{} -m model_signing sign key --signature {}/model.sig --private_key {}/key {} "
        "> {}/out 2>&1",
        python, folder.string(), at, folder.string(), at);
    ASSERT_EQ(std::system(sign_there.c_str()), 0) << read_file(at + "/out");
    EXPECT_TRUE(outcome().passed) << outcome().text;
    write_file(folder / "a/b", "other");
    EXPECT_NE(std::system(verify.c_str()), 0);
    EXPECT_FALSE(outcome().passed);
    write_file(folder / "a/b", "one\n");
  }
}

TEST_F(ModelSigning, TakesOurCertificatesToo) {
  const char* named = std::getenv("ALAMBIC_ORACLE");
  const std::string python = named == nullptr ? "python3" : named;
  if (std::system((python + " -c 'import model_signing' 2> /dev/null").c_str()) != 0) {
    GTEST_SKIP() << python << " has no model_signing; ALAMBIC_ORACLE names one that has";
  }
  const std::string at = scratch.path().string();
  const std::string make =
      "cd " + at +
      " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout rk -out "
      "root.pem -subj '/CN=root' -days 99 2> out && openssl req -newkey ec -pkeyopt "
      "ec_paramgen_curve:P-256 -nodes -keyout key -out csr -subj '/CN=me' 2>> out && printf "
      "'keyUsage=digitalSignature\\nextendedKeyUsage=codeSigning\\n' > ext && openssl x509 -req "
      "-in "
      "csr -CA root.pem -CAkey rk -CAcreateserial -days 9 -extfile ext -out own.pem 2>> out";
  ASSERT_EQ(std::system(make.c_str()), 0) << read_file(at + "/out");
  const BundleSigner signer = read_signer(at + "/key", {at + "/own.pem", at + "/root.pem"});
  sign_folder(folder, signer, {});
  const std::string verify = fmt::format(
      "{} -m model_signing verify certificate --signature {}/model.sig --certificate_chain "
      "{}/root.pem {} > {}/out 2>&1",
      python, folder.string(), at, folder.string(), at);
  EXPECT_EQ(std::system(verify.c_str()), 0) << read_file(at + "/out");
  EXPECT_TRUE(outcome({.key = nullptr,
                       .roots = read_certificates(at + "/root.pem"),
                       .when = std::time(nullptr)})
                  .passed);
  EXPECT_THROW(read_signer(at + "/key", {at + "/root.pem"}), Error);
}

}  // namespace
}  // namespace alambic::model_signing_test
