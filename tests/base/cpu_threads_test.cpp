#include "alambic/base/cpu_threads.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"

namespace alambic::cpu_threads_test {
namespace {

struct CpuThreads : testing::Test {
  TemporaryFolder folder;
  std::string before;
  int64_t cores = std::max(1u, std::thread::hardware_concurrency());

  CpuThreads() {
    const char* value = std::getenv("OMP_NUM_THREADS");
    before = value == nullptr ? "" : value;
    ::unsetenv("OMP_NUM_THREADS");
  }
  ~CpuThreads() override {
    if (!before.empty()) ::setenv("OMP_NUM_THREADS", before.c_str(), 1);
  }
  void write(const std::string& name, const std::string& text) const {
    const fs::path path = folder.path() / name;
    fs::create_directories(path.parent_path());
    write_file(path, text);
  }
  int64_t now() const { return default_threads(folder.path()); }
};

TEST_F(CpuThreads, AreTheCoresWhereNothingLimitsThem) {
  EXPECT_EQ(now(), cores);
  write("proc/self/cgroup", "0::/job\n");
  write("sys/fs/cgroup/job/cpu.max", "max 100000\n");
  EXPECT_EQ(now(), cores);
}

// Prevents: 64 threads in a container that may use one core, each waiting for the others.
TEST_F(CpuThreads, AreWhatTheQuotaPaysFor) {
  write("proc/self/cgroup", "0::/job/step\n");
  write("sys/fs/cgroup/job/step/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/job/cpu.max", "100000 100000\n");
  EXPECT_EQ(now(), 1);
  write("sys/fs/cgroup/job/cpu.max", "20000 100000\n");
  EXPECT_EQ(now(), 1);
  write("sys/fs/cgroup/job/cpu.max", "150000 100000\n");
  EXPECT_EQ(now(), std::min<int64_t>(2, cores));
  write("sys/fs/cgroup/job/cpu.max", "nonsense\n");
  EXPECT_EQ(now(), cores);
}

TEST_F(CpuThreads, AreWhatTheQuotaOfVersion1PaysFor) {
  for (const std::string mount : {"cpu", "cpu,cpuacct"}) {
    fs::remove_all(folder.path() / "sys");
    write("proc/self/cgroup", "3:memory:/other\n4:cpu,cpuacct:/docker/x\n");
    write("sys/fs/cgroup/" + mount + "/docker/x/cpu.cfs_period_us", "50000\n");
    write("sys/fs/cgroup/" + mount + "/docker/x/cpu.cfs_quota_us", "-1\n");
    EXPECT_EQ(now(), cores) << mount;
    write("sys/fs/cgroup/" + mount + "/docker/x/cpu.cfs_quota_us", "50000\n");
    EXPECT_EQ(now(), 1) << mount;
  }
  // A container sees its own group as the root.
  fs::remove_all(folder.path() / "sys");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
  EXPECT_EQ(now(), 1);
}

TEST_F(CpuThreads, AreWhatTheEnvironmentSays) {
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/cpu.max", "100000 100000\n");
  for (const auto& [value, threads] : {std::pair("3", 3), std::pair("5,2", 5), std::pair("0", 1),
                                       std::pair("x", 1), std::pair("-2", 1), std::pair("", 1)}) {
    ::setenv("OMP_NUM_THREADS", value, 1);
    EXPECT_EQ(now(), threads) << value;
  }
  ::unsetenv("OMP_NUM_THREADS");
}

}  // namespace
}  // namespace alambic::cpu_threads_test
