// Processes that do one job together: none goes on where one has failed.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace alambic {

struct GroupProcess {
  std::vector<std::string> words;  ///< the program's path and its arguments
  std::vector<std::pair<std::string, std::string>> variables;  ///< set in its environment
  std::string name;  ///< in front of its lines; empty: it has our own output
};

struct GroupResult {
  int exit_code = 0;     ///< of the process that failed first, 128 + the signal that ended it; 0
  size_t failed = 0;     ///< that process
  bool stopped = false;  ///< all ended well or with `resumable`, and at least one with the latter
  bool interrupted = false;  ///< we were told to end
};

/// Runs the processes to their ends. SIGTERM and SIGINT are passed on to all. When one ends with
/// another code than 0 and `resumable`, the others get SIGTERM and, after `grace` seconds, SIGKILL;
/// of those that fail within a second, one that says why (no environment error, which a lost
/// connection to another rank is) counts as the first. They die with us. Environment errors: no
/// more processes.
GroupResult run_group(const std::vector<GroupProcess>& processes, int resumable, double grace = 30);

}  // namespace alambic
