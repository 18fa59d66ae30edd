#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace alambic {

/// Folder of a control group around this process, and the version of its interface.
struct ControlGroup {
  std::filesystem::path folder;
  int version = 2;
};

/// The groups that limit the process by `controller` ("memory", "cpu"), its own and those around
/// it, from root/proc/self/cgroup. Folders may not be there: a container sees its own group as the
/// root, while /proc may give it the path outside.
std::vector<ControlGroup> control_groups(const std::filesystem::path& root,
                                         const std::string& controller);

}  // namespace alambic
