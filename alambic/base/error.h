// The one error type. An error says what was being done, to which file and tensor, what was
// expected, what was found; its hint says what to try. The command line prints both as one
// paragraph and ends with the error's exit code.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace alambic {

/// Exit codes of the command line (docs/cli.md). Users' scripts rely on them.
enum class Exit : int {
  done = 0,
  input = 2,        ///< the user's files or options
  environment = 3,  ///< disk, memory, device, network
  refused = 4,      ///< policy or preflight said no
  bug = 70,         ///< ours
  stopped = 75,     ///< stopped cleanly; `--resume` continues
};

class Error : public std::runtime_error {
 public:
  Error(Exit exit, const std::string& message, std::string hint = "")
      : std::runtime_error(message), exit_(exit), hint_(std::move(hint)) {}

  Exit exit() const { return exit_; }
  /// A remedy to try; empty when there is nothing useful to say.
  const std::string& hint() const { return hint_; }

  /// `throw input_error("…").with_hint("…")`
  Error with_hint(std::string hint) const { return Error(exit_, what(), std::move(hint)); }

 private:
  Exit exit_;
  std::string hint_;
};

template <class... Args>
Error input_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(Exit::input, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
Error environment_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(Exit::environment, fmt::format(format, std::forward<Args>(args)...));
}

/// An error for conditions that only our own mistake can break.
template <class... Args>
Error bug(fmt::format_string<Args...> format, Args&&... args) {
  return Error(Exit::bug, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw bug(format, std::forward<Args>(args)...);
}

}  // namespace alambic
