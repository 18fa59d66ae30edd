#include "alambic/base/log.h"

#include <unistd.h>

#include <cstdio>

#include "alambic/base/escape.h"
#include "alambic/base/secret.h"

namespace alambic {
namespace {

// Of a process, as its standard error is.
int64_t follower_rank = 0;

// "\r\033[K" wipes a progress bar that shares the terminal line; the bar redraws itself. Control
// characters are escaped: messages quote files. Keys are taken out: they quote servers too.
void write_line(const std::string& message) {
  const char* wipe = isatty(STDERR_FILENO) ? "\r\033[K" : "";
  const std::string line = wipe + escape_controls(redacted(message), /*lines=*/true) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

void say(const std::string& message) {
  if (!is_follower()) write_line(message);
}

void say_error(const std::string& message, const std::string& hint) {
  const std::string who = is_follower() ? fmt::format("rank {}: ", follower_rank) : "";
  write_line(who + "error: " + message);
  if (!hint.empty()) write_line(who + "hint: " + hint);
}

void follow_as_rank(int64_t rank) { follower_rank = rank; }
bool is_follower() { return follower_rank > 0; }

void warn(const std::string& message) { say("warning: " + message); }

}  // namespace alambic
