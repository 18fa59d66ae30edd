#include "alambic/base/free_memory.h"

#include <gtest/gtest.h>

#include <cmath>

#include "alambic/base/temporary_folder.h"

namespace alambic::free_memory_test {
namespace {

struct FreeMemory : testing::Test {
  TemporaryFolder folder;

  void write(const std::string& name, const std::string& text) const {
    const fs::path path = folder.path() / name;
    fs::create_directories(path.parent_path());
    write_file(path, text);
  }
  double now() const { return free_memory(folder.path()); }
};

TEST_F(FreeMemory, IsWhatTheKernelSays) {
  EXPECT_TRUE(std::isinf(now()));
  write("proc/meminfo", "MemTotal:  9000 kB\nMemFree:  1 kB\nMemAvailable:    4000 kB\n");
  EXPECT_EQ(now(), 4000 * 1024);
  EXPECT_GT(free_memory(), 0);
}

// A run in a container was let start with the whole machine's memory in view, and killed later.
TEST_F(FreeMemory, IsWhatTheTightestGroupAllows) {
  write("proc/meminfo", "MemAvailable: 4000 kB\n");
  write("proc/self/cgroup", "0::/job/step\n");
  write("sys/fs/cgroup/job/step/memory.max", "max\n");
  write("sys/fs/cgroup/job/step/memory.current", "500\n");
  write("sys/fs/cgroup/job/memory.max", "3000\n");
  write("sys/fs/cgroup/job/memory.current", "1000\n");
  EXPECT_EQ(now(), 2000);
  write("sys/fs/cgroup/job/memory.stat", "anon 300\ninactive_file 700\n");
  EXPECT_EQ(now(), 2700);
}

TEST_F(FreeMemory, ReadsGroupsOfTheFirstVersion) {
  write("proc/meminfo", "MemAvailable: 4000 kB\n");
  write("proc/self/cgroup", "4:cpu,memory:/outside/of/this/container\n2:cpuset:/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1200\n");
  EXPECT_EQ(now(), 0);
}

TEST_F(FreeMemory, PassesOverWhatItCannotRead) {
  write("proc/meminfo", "MemAvailable: many\n");
  write("proc/self/cgroup", "nonsense\n0::\n::\n");
  EXPECT_TRUE(std::isinf(now()));
}

}  // namespace
}  // namespace alambic::free_memory_test
