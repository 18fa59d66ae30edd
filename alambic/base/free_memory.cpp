#include "alambic/base/free_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

namespace alambic {

namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

// A file with one number; nothing where there is none, or "max" in its place.
std::optional<double> number_in(const fs::path& path) {
  std::ifstream file(path);
  double number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

// The number behind a key at the beginning of a line.
std::optional<double> number_of(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first;
    double number = 0;
    if (words >> first >> number && first == key) return number;
  }
  return std::nullopt;
}

// The names that the two versions of control groups give their files.
struct GroupFiles {
  const char *limit, *usage, *cached;
};
constexpr GroupFiles version_1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                                  "total_inactive_file"};
constexpr GroupFiles version_2 = {"memory.max", "memory.current", "inactive_file"};

// Bytes that a group and those around it still allow. A container sees its own group as the root,
// while /proc may give it the path outside: folders that are not there are passed over.
double left_in_group(const fs::path& mount, fs::path group, const GroupFiles& files) {
  double left = unlimited;
  while (true) {
    const fs::path folder = mount / group.relative_path();
    const auto limit = number_in(folder / files.limit), usage = number_in(folder / files.usage);
    if (limit && usage) {
      const double cached = number_of(folder / "memory.stat", files.cached).value_or(0);
      left = std::min(left, std::max(0.0, *limit - *usage + cached));
    }
    if (group == group.parent_path()) return left;
    group = group.parent_path();
  }
}

double left_in_groups(const fs::path& root) {
  const fs::path mount = root / "sys/fs/cgroup";
  double left = unlimited;
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // number:controllers:path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = line.substr(second + 1);
    if (controllers.empty()) left = std::min(left, left_in_group(mount, group, version_2));
    if (("," + controllers + ",").find(",memory,") != std::string::npos) {
      left = std::min(left, left_in_group(mount / "memory", group, version_1));
    }
  }
  return left;
}

}  // namespace

double free_memory(const fs::path& root) {
  const auto kibibytes = number_of(root / "proc/meminfo", "MemAvailable:");
  return std::min(kibibytes ? 1024 * *kibibytes : unlimited, left_in_groups(root));
}

}  // namespace alambic
