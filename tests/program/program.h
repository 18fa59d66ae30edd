// The built executable, run from outside.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <sstream>
#include <string>

namespace alambic {

inline const std::string kProgram = std::string(ALAMBIC_BINARY_DIR) + "/alambic";

struct Outcome {
  int code = 0;
  std::string text;  // stdout and stderr
};

inline Outcome shell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen(("exec 2>&1; " + command).c_str(), "r");
  std::array<char, 4096> buffer;
  while (const size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.text.append(buffer.data(), count);
  }
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

/// `options`, without those that `more` gives another value, and `more`: an option that is no list
/// stands once in a command line. No value in `options` has spaces.
inline std::string with_options(const std::string& options, const std::string& more) {
  std::istringstream words(options);
  std::string kept;
  bool dropped = false;
  for (std::string word; words >> word;) {
    if (word.starts_with("--")) dropped = (" " + more + " ").find(" " + word + " ") != more.npos;
    if (!dropped) kept += word + " ";
  }
  return kept + more;
}

inline Outcome alambic(const std::string& arguments) { return shell(kProgram + " " + arguments); }

}  // namespace alambic
