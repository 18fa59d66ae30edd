#include "alambic/base/file_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "alambic/base/error.h"
#include "alambic/base/temporary_folder.h"

namespace alambic::file_lock_test {
namespace {

struct FileLockTest : testing::Test {
  TemporaryFolder folder;
  fs::path path = folder.path() / "run.lock";
};

TEST_F(FileLockTest, IsHeldByOneAtATimeAndNamesTheHolder) {
  {
    const auto lock = FileLock::try_acquire(path);
    ASSERT_TRUE(lock);
    EXPECT_FALSE(FileLock::try_acquire(path));
    const std::string holder = FileLock::holder_of(path);
    EXPECT_NE(holder.find(fmt::format("process {} on ", ::getpid())), std::string::npos) << holder;
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(FileLock::holder_of(path), "another process");
  EXPECT_TRUE(FileLock::try_acquire(path));
}

// Bug: a lock that outlives a killed process, so that no run can be resumed.
TEST_F(FileLockTest, EndsWithAKilledHolder) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = FileLock::try_acquire(path);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(fs::exists(path));
  EXPECT_TRUE(FileLock::try_acquire(path));
}

TEST_F(FileLockTest, SaysWhyAFileCannotBeMade) {
  try {
    FileLock::try_acquire(folder.path() / "missing" / "run.lock");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::environment);
    EXPECT_NE(std::string(error.what()).find("run.lock"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace alambic::file_lock_test
