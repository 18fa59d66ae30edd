#include "alambic/base/control_groups.h"

#include <fstream>

namespace alambic {
namespace {

namespace fs = std::filesystem;

void add_upwards(const fs::path& mount, fs::path group, int version,
                 std::vector<ControlGroup>& groups) {
  while (true) {
    groups.push_back({mount / group.relative_path(), version});
    if (group == group.parent_path()) return;
    group = group.parent_path();
  }
}

}  // namespace

std::vector<ControlGroup> control_groups(const fs::path& root, const std::string& controller) {
  const fs::path mount = root / "sys/fs/cgroup";
  std::vector<ControlGroup> groups;
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // number:controllers:path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = line.substr(second + 1);
    if (controllers.empty()) add_upwards(mount, group, 2, groups);
    if (("," + controllers + ",").find("," + controller + ",") == std::string::npos) continue;
    // Mounted under all its names or, often by a link, under this one.
    add_upwards(mount / controller, group, 1, groups);
    if (controllers != controller) add_upwards(mount / controllers, group, 1, groups);
  }
  return groups;
}

}  // namespace alambic
