#include "alambic/provenance/sign_folder.h"

#include <sys/stat.h>

#include <cstdlib>

#include "alambic/base/sha256.h"
#include "tests/provenance/signed_fixture.h"

namespace alambic::sign_folder_test {
namespace {

struct SignFolder : SignedFixture {};

TEST_F(SignFolder, HoldsAsLongAsNothingChanges) {
  EXPECT_TRUE(outcome().passed) << outcome().text;
  for (const Curve curve : {Curve::p384, Curve::p521}) {
    key = new_key(curve);
    sign();
    EXPECT_TRUE(outcome().passed) << outcome().text;
  }
}

TEST_F(SignFolder, HoldsUnderAnotherFolderName) {
  fs::rename(folder, scratch.path() / "moved");
  folder = scratch.path() / "moved";
  EXPECT_TRUE(outcome().passed) << outcome().text;
}

// DSSE's protocol.md.
TEST_F(SignFolder, SignsTheBytesOfTheEnvelopesStandard) {
  EXPECT_EQ(signed_bytes("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

// Prevents: "a.b" before "a/b", as bytes would have it; the root of other tools then differs.
TEST_F(SignFolder, OrdersNamesPartByPart) {
  const std::vector<std::string> names = {"A", "a", "a/b", "a/b/c", "a-b", "a.b", "aa", "é", "😀"};
  for (size_t i = 0; i < names.size(); ++i) {
    for (size_t j = 0; j < names.size(); ++j) {
      EXPECT_EQ(path_comes_before(names[i], names[j]), i < j) << names[i] << " " << names[j];
    }
  }
}

TEST_F(SignFolder, HashesPartsAsTheWhole) {
  write_file(folder / "parts", std::string(3'000'000, 'x') + "end");
  const auto digests = digests_of(
      folder, {{"parts", 0, 3'000'003}, {"parts", 3'000'000, 3'000'003}, {"parts", 1, 1}});
  EXPECT_EQ(digests[0], sha256_file(folder / "parts"));
  EXPECT_EQ(digests[1], sha256("end"));
  EXPECT_EQ(digests[2], sha256(""));
  EXPECT_THROW(digests_of(folder, {{"parts", 0, 1}, {"none", 0, 1}}), Error);
}

TEST_F(SignFolder, RefusesWhatItCannotCover) {
  fs::create_symlink("config.json", folder / "link");
  EXPECT_THROW(sign(), Error);
  fs::remove(folder / "link");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(sign(), Error);
  fs::remove(folder / "pipe");
  write_file(folder / "\xff", "");
  EXPECT_THROW(sign(), Error);
  fs::remove(folder / "\xff");
  EXPECT_NO_THROW(sign());
}

TEST_F(SignFolder, SaysWhatItDoesNotCover) {
  write_file(folder / ".gitattributes", "x");
  const CheckedFolder checked = check_folder(folder, {.key = key}, {});
  EXPECT_TRUE(checked.faults.empty());
  EXPECT_EQ(checked.not_covered, std::vector<std::string>{".gitattributes"});
}

TEST_F(SignFolder, TakesASignatureThatLiesElsewhere) {
  const fs::path elsewhere = scratch.path() / "model.sig";
  fs::rename(signature(), elsewhere);
  EXPECT_TRUE(check_folder(folder, {.key = key}, elsewhere).faults.empty());
  fs::rename(elsewhere, folder / "other.sig");
  EXPECT_TRUE(check_folder(folder, {.key = key}, folder / "other.sig").faults.empty());
}

TEST_F(SignFolder, KeepsPrivateKeysToTheirOwner) {
  const fs::path file = scratch.path() / "key";
  write_key_pair(file, key);
  struct stat facts {};
  ASSERT_EQ(::stat(file.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_TRUE(same_public_key(read_private_key(file), key));
  EXPECT_TRUE(same_public_key(read_public_key(file.string() + ".pub"), key));
  EXPECT_THROW(read_private_key(file.string() + ".pub"), Error);
  EXPECT_THROW(read_public_key(file), Error);
  const std::string before = read_file(file);
  EXPECT_THROW(write_key_pair(file, new_key(Curve::p256)), Error);
  fs::remove(file.string() + ".pub");
  EXPECT_THROW(write_key_pair(file, new_key(Curve::p256)), Error);
  EXPECT_EQ(read_file(file), before);
  EXPECT_FALSE(fs::exists(file.string() + ".pub"));
}

// Prevents: a prompt for a passphrase in a run without a terminal; a key of another kind whose
// failure looks like ours.
TEST_F(SignFolder, RefusesOtherKeysAsInput) {
  const std::string at = (scratch.path() / "k").string();
  const std::pair<const char*, const char*> kinds[] = {
      {"genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", "P-256"},
      {"genpkey -algorithm ED25519", "P-256"},
      {"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", "P-256"},
      {"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:secret",
       "passphrase"},
  };
  for (const auto& [command, word] : kinds) {
    ASSERT_EQ(std::system(fmt::format("openssl {} -out {} 2> /dev/null", command, at).c_str()), 0);
    try {
      read_private_key(at);
      ADD_FAILURE() << command;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  }
  write_file(at, "no key");
  EXPECT_THROW(read_private_key(at), Error);
  EXPECT_THROW(read_public_key(at), Error);
}

}  // namespace
}  // namespace alambic::sign_folder_test
