// Messages for the person at the terminal, on stderr; stdout belongs to a command's result.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <utility>

namespace alambic {

/// Writes "message\n" to stderr, above a progress bar that is being drawn.
void say(const std::string& message);
/// The same with "warning: " in front.
void warn(const std::string& message);
/// The same with "error: " in front, and of a follower its rank.
void say_error(const std::string& message, const std::string& hint);

/// Makes this process a follower in a job of several ranks: what it has to say is what rank 0 says
/// too, so that of its messages only errors are written, and no progress.
void follow_as_rank(int64_t rank);
bool is_follower();

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say(fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  warn(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace alambic
