// Messages for the person at the terminal, on stderr; stdout belongs to a command's result.
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

namespace alambic {

/// Writes "message\n" to stderr, above a progress bar that is being drawn.
void say(const std::string& message);
/// The same with "warning: " in front.
void warn(const std::string& message);

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say(fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  warn(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace alambic
