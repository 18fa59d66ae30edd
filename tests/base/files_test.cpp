#include "alambic/base/files.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"

namespace alambic::files_test {
namespace {

TEST(Files, WriteReplacesTheWholeFileAndLeavesNoTemporary) {
  const fs::path folder = fs::path(testing::TempDir()) / "alambic_files";
  fs::remove_all(folder);
  fs::create_directories(folder);
  write_file(folder / "a", "first, longer");
  write_file(folder / "a", "second");
  EXPECT_EQ(read_file(folder / "a"), "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
}

TEST(Files, AMissingFileIsTheUsersInput) {
  try {
    read_file("/nonexistent/file");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("/nonexistent/file"), std::string::npos);
  }
}

TEST(Files, RefusesAFolderAndAFileOverTheLimit) {
  EXPECT_THROW(read_file(testing::TempDir()), Error);
  const fs::path path = fs::path(testing::TempDir()) / "alambic_limit";
  write_file(path, "12345");
  EXPECT_THROW(read_file(path, 4), Error);
}

}  // namespace
}  // namespace alambic::files_test
