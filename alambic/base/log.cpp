#include "alambic/base/log.h"

#include <unistd.h>

#include <cstdio>

#include "alambic/base/escape.h"

namespace alambic {

// "\r\033[K" wipes a progress bar that shares the terminal line; the bar redraws itself. Control
// characters are escaped: messages quote files.
void say(const std::string& message) {
  const char* wipe = isatty(STDERR_FILENO) ? "\r\033[K" : "";
  const std::string line = wipe + escape_controls(message, /*lines=*/true) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

void warn(const std::string& message) { say("warning: " + message); }

}  // namespace alambic
