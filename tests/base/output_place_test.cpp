// Where a path leads that is to be written, and what an AtomicFile does there.
#include "alambic/base/output_place.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "alambic/base/atomic_file.h"
#include "alambic/base/file_system.h"

namespace alambic::output_place_test {
namespace {

struct Output : testing::Test {
  fs::path folder;

  Output() {
    std::string name = fs::path(testing::TempDir()) / "alambic_output_XXXXXX";
    folder = ::mkdtemp(name.data());
  }
  ~Output() override { fs::remove_all(folder); }

  void expect_refused(const fs::path& path, Exit exit, const std::string& word) const {
    const size_t before = list_folder(folder).size();
    try {
      write_file(path, "new");
      ADD_FAILURE() << path << " was written";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), exit) << error.what();
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
    EXPECT_EQ(list_folder(folder).size(), before) << path;
  }
};

// Prevents: a link that becomes a plain file, and a target that keeps the old bytes.
TEST_F(Output, FollowsLinksAndLeavesThem) {
  fs::create_directories(folder / "elsewhere");
  write_file(folder / "elsewhere/file", "old");
  fs::create_symlink("elsewhere/file", folder / "link");
  fs::create_symlink("link", folder / "link2");
  fs::create_symlink("elsewhere/none", folder / "to_nothing");
  write_file(folder / "link2", "new");
  write_file(folder / "to_nothing", "made");
  EXPECT_TRUE(fs::is_symlink(folder / "link") && fs::is_symlink(folder / "link2"));
  EXPECT_EQ(read_file(folder / "elsewhere/file"), "new");
  EXPECT_EQ(read_file(folder / "elsewhere/none"), "made");
  EXPECT_EQ(list_folder(folder / "elsewhere").size(), 2u);
  fs::create_symlink("loop", folder / "loop");
  expect_refused(folder / "loop", Exit::environment, "symbolic links");
}

// Prevents: a device node or a named pipe replaced by a plain file, as root the machine's own.
TEST_F(Output, WritesThroughPipesAndCharacterDevices) {
  const fs::path pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string got(8, '\0');
  std::thread reader([&] {
    const int from = ::open(pipe.c_str(), O_RDONLY);
    got.resize(static_cast<size_t>(std::max<ssize_t>(0, ::read(from, got.data(), got.size()))));
    ::close(from);
  });
  write_file(pipe, "new");
  reader.join();
  EXPECT_EQ(got, "new");
  EXPECT_TRUE(fs::is_fifo(pipe));
  fs::create_symlink("/dev/null", folder / "null");
  write_file(folder / "null", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "null"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  expect_refused("/dev/full", Exit::environment, "No space left on device");
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

// Prevents: `--out /dev/stdout > file` that takes the file away from under standard output.
TEST_F(Output, WritesToOpenFilesOfTheProcessWhereTheyStand) {
  const int file = ::open((folder / "file").c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::write(file, "one ", 4), 4);
  write_file(fmt::format("/dev/fd/{}", file), "two ");
  write_file(fmt::format("/proc/self/fd/{}", file), "three ");
  ASSERT_EQ(::write(file, "four", 4), 4);
  ::close(file);
  EXPECT_EQ(read_file(folder / "file"), "one two three four");
}

TEST_F(Output, RefusesFoldersSocketsAndNamesThatAreTooLong) {
  fs::create_directories(folder / "sub");
  expect_refused(folder / "sub", Exit::input, "a folder");
  const int end = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = folder / "socket";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(end, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  expect_refused(folder / "socket", Exit::input, "no file");
  ::close(end);
  expect_refused(folder / std::string(256, 'n'), Exit::input, "File name too long");
  expect_refused(folder / "none/file", Exit::environment, "No such file");
  expect_refused(folder / "sub/none/file", Exit::environment, "No such file");
}

TEST_F(Output, RefusesADisk) {
  const fs::path disk = folder / "disk";
  if (::mknod(disk.c_str(), S_IFBLK | 0600, makedev(7, 250)) != 0) {
    GTEST_SKIP() << "no device nodes here: this needs root";
  }
  expect_refused(disk, Exit::input, "a disk");
  EXPECT_TRUE(fs::is_block_file(disk));
}

// Prevents: a name of 250 bytes that is too long with the temporary one's ending.
TEST_F(Output, TakesTheLongestNames) {
  const fs::path file = folder / std::string(255, 'n');
  write_file(file, "new");
  EXPECT_EQ(read_file(file), "new");
  EXPECT_EQ(list_folder(folder).size(), 1u);
}

TEST_F(Output, KeepsThePermissionsOfAFileThatItReplaces) {
  write_file(folder / "file", "old");
  fs::permissions(folder / "file", fs::perms(0600));
  write_file(folder / "file", "new");
  EXPECT_EQ(fs::status(folder / "file").permissions(), fs::perms(0600));
}

// Prevents: a program that a limit on file sizes ends by a signal, and what it leaves behind.
TEST_F(Output, LeavesNothingBehindWhereALimitIsMet) {
  write_file(folder / "file", "old");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{.rlim_cur = 100, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  std::string told;
  try {
    write_file(folder / "file", std::string(1000, 'x'));
  } catch (const Error& error) {
    told = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(told, "cannot write " + (folder / "file").string() + ": File too large");
  EXPECT_EQ(read_file(folder / "file"), "old");
  EXPECT_EQ(list_folder(folder).size(), 1u);
}

TEST_F(Output, IsCheckedBeforeTheWork) {
  const auto told = [&](const fs::path& path, bool overwrite) -> std::string {
    try {
      check_output_file("--out", path, overwrite);
      return "";
    } catch (const Error& error) {
      return fmt::format("{} {} | {}", static_cast<int>(error.exit()), error.what(), error.hint());
    }
  };
  const std::string file = folder / "file", none = folder / "none/file";
  EXPECT_EQ(told("", false), "");
  EXPECT_EQ(told(file, false), "");
  EXPECT_EQ(told("bare_name", false), "");
  EXPECT_EQ(told(none, false), "3 cannot write " + none + ": No such file or directory | ");
  write_file(file, "old");
  fs::create_symlink("file", folder / "link");
  EXPECT_EQ(told(file, false), "2 --out " + file + " exists already | --overwrite replaces it");
  EXPECT_NE(told(folder / "link", false), "");
  EXPECT_EQ(told(file, true), "");
  EXPECT_EQ(told("/dev/null", false), "");
  EXPECT_NE(told(folder, true), "");
}

}  // namespace
}  // namespace alambic::output_place_test
