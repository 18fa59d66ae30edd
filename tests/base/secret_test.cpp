#include "alambic/base/secret.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "alambic/base/base64.h"
#include "alambic/base/error.h"
#include "alambic/base/temporary_folder.h"

namespace alambic::secret_test {
namespace {

constexpr const char* canary = "sk-canary/7f+3a9c1e=";

// Bug: a server's 401 that quotes the key, a proxy's that quotes it in another form, in a log.
TEST(Secret, IsTakenOutOfEveryText) {
  const Secret secret(canary);
  EXPECT_EQ(redacted(std::string("bad key ") + canary + "!"), "bad key [key]!");
  EXPECT_EQ(redacted("url?key=sk-canary%2F7f%2B3a9c1e%3D&x"), "url?key=[key]&x");
  for (const char* before : {"", "u", "us"}) {
    const std::string encoded = encode_base64(before + std::string(canary) + ":");
    EXPECT_NE(redacted(encoded), encoded) << before;
    EXPECT_EQ(redacted(encoded).find(encoded.substr(8, 8)), std::string::npos) << before;
  }
  EXPECT_EQ(redacted("Authorization: Bearer abcdefghijk\r\nHost: a"),
            "Authorization: Bearer [key]\r\nHost: a");
  EXPECT_EQ(redacted("nothing to hide, bearer of news"), "nothing to hide, bearer of news");
}

// Bug: a key that a child of ours or /proc/PID/environ still shows, or a core.
TEST(Secret, LeavesTheEnvironment) {
  ::setenv("ALAMBIC_TEST_KEY", canary, 1);
  const char* place = std::getenv("ALAMBIC_TEST_KEY");
  const auto secret = secret_of_environment("ALAMBIC_TEST_KEY");
  ASSERT_NE(secret, nullptr);
  EXPECT_EQ(secret->reveal(), canary);
  EXPECT_EQ(*place, '\0');
  EXPECT_EQ(std::getenv("ALAMBIC_TEST_KEY"), nullptr);
  EXPECT_EQ(secret_of_environment("ALAMBIC_TEST_KEY"), secret);
  EXPECT_EQ(secret_of_environment("ALAMBIC_TEST_NO_KEY"), nullptr);
  EXPECT_EQ(::prctl(PR_GET_DUMPABLE), 0);
}

TEST(Secret, ComesFromAFileOfItsOwnerAlone) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "key";
  write_file(file, std::string("  ") + canary + "\n");
  ::chmod(file.c_str(), 0644);
  EXPECT_THROW(secret_of_file(file), Error);
  ::chmod(file.c_str(), 0600);
  EXPECT_EQ(secret_of_file(file)->reveal(), canary);
  write_file(file, "\n");
  ::chmod(file.c_str(), 0600);
  EXPECT_THROW(secret_of_file(file), Error);
  EXPECT_THROW(secret_of_file(folder.path() / "none"), Error);
}

}  // namespace
}  // namespace alambic::secret_test
