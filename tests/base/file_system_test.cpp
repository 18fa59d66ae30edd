#include "alambic/base/file_system.h"

#include <gtest/gtest.h>

#include <functional>

#include "alambic/base/files.h"

namespace alambic::file_system_test {
namespace {

fs::path fresh_folder(const std::string& name) {
  const fs::path folder = fs::path(testing::TempDir()) / ("alambic_fs_" + name);
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

void expect_told(const std::function<void()>& action, const std::vector<std::string>& words,
                 Exit exit = Exit::environment) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown; expected " << words.front();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(error.exit(), exit) << text;
    for (const std::string& word : words) EXPECT_NE(text.find(word), text.npos) << text;
  }
}

// Prevents: a full disk or missing rights told as a bug in Alambic
// (std::filesystem::filesystem_error).
TEST(FileSystem, WhatTheSystemRefusesIsToldWithPathAndReason) {
  const fs::path folder = fresh_folder("refused");
  write_file(folder / "file", "x");
  const fs::path under_file = folder / "file/sub";
  const std::string no_folder = "Not a directory";
  expect_told([&] { make_folder(under_file); }, {"make the folder", under_file, no_folder});
  expect_told([&] { list_folder(folder / "file"); }, {"list", folder / "file", no_folder});
  expect_told([&] { file_bytes(folder / "none"); }, {"size", folder / "none", "No such file"});
  expect_told([&] { remove_file(folder); }, {"remove", folder, "Directory not empty"});
  expect_told([&] { move_path(folder / "file", under_file); }, {"move", under_file, no_folder});
  expect_told([&] { set_file_bytes(folder / "none", 1); }, {"none", "No such file"});
  expect_told([&] { write_file(under_file, "x"); }, {"write", under_file, no_folder});
}

TEST(FileSystem, ANameThatIsTooLongIsTheUsersInput) {
  const fs::path name = fresh_folder("long") / std::string(300, 'n');
  const std::string too_long = "File name too long";
  const auto expect = [&](const std::function<void()>& action, const std::string& doing) {
    expect_told(action, {doing, name, too_long}, Exit::input);
  };
  expect([&] { make_folder(name); }, "make the folder");
  expect([&] { path_exists(name); }, "look up");
  expect([&] { is_file(name); }, "look up");
  expect([&] { is_folder(name); }, "look up");
  expect([&] { full_path(name); }, "look up");
  expect([&] { remove_path(name); }, "remove");
  expect([&] { write_file(name, "x"); }, "write");
}

// Prevents: the last net of main() without path or reason.
TEST(FileSystem, ItsExceptionIsAnErrorWithPathAndReason) {
  const auto full = std::make_error_code(std::errc::no_space_on_device);
  const Error one = path_error(fs::filesystem_error("cannot copy", "/a", full));
  EXPECT_EQ(one.exit(), Exit::environment);
  EXPECT_STREQ(one.what(), "cannot use /a: No space left on device");
  const Error two = path_error(fs::filesystem_error("cannot rename", "/a", "/b", full));
  EXPECT_STREQ(two.what(), "cannot use /a and /b: No space left on device");
}

TEST(FileSystem, WhatIsNotThereIsNoError) {
  const fs::path folder = fresh_folder("absent");
  write_file(folder / "file", "x");
  for (const fs::path& path : {folder / "none", folder / "none/sub", folder / "file/sub"}) {
    EXPECT_FALSE(path_exists(path)) << path;
    EXPECT_FALSE(is_file(path)) << path;
    EXPECT_FALSE(is_folder(path)) << path;
    EXPECT_FALSE(is_empty_folder(path)) << path;
  }
  remove_file(folder / "none");
  remove_path(folder / "none");
}

TEST(FileSystem, DoesWhatItSays) {
  const fs::path folder = fresh_folder("does");
  make_folder(folder / "a/b");
  make_folder(folder / "a/b");
  EXPECT_TRUE(is_empty_folder(folder / "a/b"));
  write_file(folder / "a/2", "12345");
  write_file(folder / "a/1", "");
  set_file_bytes(folder / "a/2", 3);
  EXPECT_EQ(file_bytes(folder / "a/2"), 3U);
  EXPECT_EQ(list_folder(folder / "a"),
            (std::vector<fs::path>{folder / "a/1", folder / "a/2", folder / "a/b"}));
  move_path(folder / "a/2", folder / "c");
  EXPECT_TRUE(is_file(folder / "c"));
  EXPECT_EQ(full_path(folder / "a/../c").filename(), "c");
  remove_path(folder / "a");
  remove_file(folder / "c");
  EXPECT_TRUE(is_empty_folder(folder));
}

}  // namespace
}  // namespace alambic::file_system_test
