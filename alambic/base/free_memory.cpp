#include "alambic/base/free_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

#include "alambic/base/control_groups.h"

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

// Bytes that a group still allows.
double left_in_group(const fs::path& group, const GroupFiles& files) {
  const auto limit = number_in(group / files.limit), usage = number_in(group / files.usage);
  if (!limit || !usage) return unlimited;
  const double cached = number_of(group / "memory.stat", files.cached).value_or(0);
  return std::max(0.0, *limit - *usage + cached);
}

double left_in_groups(const fs::path& root) {
  double left = unlimited;
  for (const auto& [group, version] : control_groups(root, "memory")) {
    left = std::min(left, left_in_group(group, version == 2 ? version_2 : version_1));
  }
  return left;
}

}  // namespace

double free_memory(const fs::path& root) {
  const auto kibibytes = number_of(root / "proc/meminfo", "MemAvailable:");
  return std::min(kibibytes ? 1024 * *kibibytes : unlimited, left_in_groups(root));
}

}  // namespace alambic
