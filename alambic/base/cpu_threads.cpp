#include "alambic/base/cpu_threads.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <thread>

#include "alambic/base/control_groups.h"
#include "alambic/base/environment.h"

namespace alambic {
namespace {

namespace fs = std::filesystem;

constexpr double unlimited = std::numeric_limits<double>::infinity();

double share(double quota, double period) {
  return quota > 0 && period > 0 ? quota / period : unlimited;
}

// "150000 100000" or "max 100000"
double quota_of_version_2(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period ? share(quota, period) : unlimited;
}

// A quota of -1 is none.
double quota_of_version_1(const fs::path& group) {
  std::ifstream quota_file(group / "cpu.cfs_quota_us"), period_file(group / "cpu.cfs_period_us");
  double quota = 0, period = 0;
  return quota_file >> quota && period_file >> period ? share(quota, period) : unlimited;
}

int64_t from_environment() {
  const std::string value = environment_variable("OMP_NUM_THREADS").value_or("");
  const int64_t threads = std::strtol(value.c_str(), nullptr, 10);
  return threads < 100000 ? threads : 0;
}

}  // namespace

int64_t default_threads(const fs::path& root) {
  if (const int64_t threads = from_environment(); threads > 0) return threads;
  double cores = std::thread::hardware_concurrency();  // those of the process's affinity
  for (const auto& [group, version] : control_groups(root, "cpu")) {
    const double quota = version == 2 ? quota_of_version_2(group) : quota_of_version_1(group);
    cores = std::min(cores, std::ceil(quota));
  }
  return std::max<int64_t>(1, std::llround(cores));
}

}  // namespace alambic
