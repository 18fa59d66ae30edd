// The program beside a torch library that is not its own.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "alambic/base/files.h"
#include "tests/program/program.h"

namespace alambic::library_test {
namespace {

// What `alambic selftest` says where its library is a copy of `library`.
Outcome with_library(const fs::path& library) {
  const fs::path folder = fs::path(testing::TempDir()) / fmt::format("alambic_lib_{}", ::getpid());
  fs::remove_all(folder);
  fs::create_directories(folder);
  fs::copy_file(kProgram, folder / "alambic");
  fs::copy_file(library, folder / "libalambic_torch.so");
  const Outcome outcome = shell((folder / "alambic").string() + " selftest");
  fs::remove_all(folder);
  return outcome;
}

// Prevents: C++ objects given to a library that lays them out otherwise: undefined behavior
// instead of a sentence.
TEST(TorchLibrary, OfAnotherBuildIsRefused) {
  const Outcome outcome =
      with_library(fs::path(ALAMBIC_BINARY_DIR) / "tests/other_build/libalambic_torch.so");
  EXPECT_EQ(outcome.code, 3) << outcome.text;
  for (const char* word : {"libalambic_torch.so", "another build", "expected alambic ",
                           "found alambic 0.0.0, build 0123456789abcdef", "hint: "}) {
    EXPECT_NE(outcome.text.find(word), std::string::npos) << word << "\n" << outcome.text;
  }
}

// Prevents: a library from before there was a version, told as a bug or called.
TEST(TorchLibrary, WithoutAVersionIsRefused) {
  if (*ALAMBIC_SANITIZED != '\0') GTEST_SKIP() << "a sanitizer refuses the core library twice";
  const Outcome outcome = with_library(fs::path(ALAMBIC_BINARY_DIR) / "libalambic_core.so");
  EXPECT_EQ(outcome.code, 3) << outcome.text;
  EXPECT_NE(outcome.text.find("found no version"), std::string::npos) << outcome.text;
}

}  // namespace
}  // namespace alambic::library_test
