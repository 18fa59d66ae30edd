// The built executable, run from outside.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
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

inline Outcome alambic(const std::string& arguments) { return shell(kProgram + " " + arguments); }

}  // namespace alambic
