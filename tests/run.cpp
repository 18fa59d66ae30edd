#include "tests/run.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace alambic {
namespace {

namespace fs = std::filesystem;

// A folder for temporary files of this process alone: cases run side by side, each in a process of
// its own, and write files of the same names. It stays if a test failed.
struct OwnTemporaryFolder : testing::Environment {
  std::string path = fs::path(testing::TempDir()) / "alambic_tests_XXXXXX";

  void SetUp() override {
    if (::mkdtemp(path.data()) == nullptr) {
      std::perror(path.c_str());
      std::exit(1);
    }
    ::setenv("TEST_TMPDIR", path.c_str(), 1);  // testing::TempDir
    ::setenv("TMPDIR", path.c_str(), 1);       // std::filesystem::temp_directory_path, children
  }
  void TearDown() override {
    std::error_code ignored;
    if (testing::UnitTest::GetInstance()->Passed()) fs::remove_all(path, ignored);
  }
};

// A suite whose set-up fails has failed. GoogleTest skips its cases, and CTest takes the word
// "SKIPPED" in what they print for a pass. UnitTest is not asked: it is locked in OnTestPartResult.
struct FailedSetUp : testing::EmptyTestEventListener {
  std::string suite;
  bool in_case = false;

  void OnTestSuiteStart(const testing::TestSuite& started) override { suite = started.name(); }
  void OnTestStart(const testing::TestInfo&) override { in_case = true; }
  void OnTestEnd(const testing::TestInfo&) override { in_case = false; }
  void OnTestSuiteEnd(const testing::TestSuite&) override { suite.clear(); }
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.fatally_failed() || in_case || suite.empty()) return;
    std::fprintf(stderr, "the set-up of %s failed\n", suite.c_str());
    std::_Exit(1);
  }
};

}  // namespace

int run_tests() {
  testing::AddGlobalTestEnvironment(new OwnTemporaryFolder);
  testing::UnitTest::GetInstance()->listeners().Append(new FailedSetUp);
  return RUN_ALL_TESTS();
}

}  // namespace alambic
