// Running a user's command with limits: its time, its output, the network.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alambic {

struct ChildLimits {
  double seconds = 10;      ///< then the command and its children are killed
  size_t output = 1 << 16;  ///< bytes of standard output that are read; more is a failure
  bool network = false;     ///< false: no network, where the system lets us take it away
};

struct ChildResult {
  int exit_code = 0;  ///< exit code of the shell; 128 + the signal that ended it
  bool timed_out = false;
  bool output_too_long = false;
  std::string output;  ///< standard output
  std::string errors;  ///< the first kilobyte of standard error
};

/// Runs `command` in /bin/sh with `input` on its standard input and `variables` added to the
/// environment, and waits. What it leaves running is killed with it. Environment errors: no more
/// processes or descriptors. Safe from several threads.
ChildResult run_child(const std::string& command, std::string_view input, const ChildLimits& limits,
                      const std::vector<std::pair<std::string, std::string>>& variables = {});

/// Whether this system lets run_child take the network away (it needs user namespaces).
bool can_take_network_away();

}  // namespace alambic
