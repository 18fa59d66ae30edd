// Failures inside a template, before it is known which file and line it was.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace alambic::jinja {

/// `kind` is the name of the exception that Jinja or Python raises in this place.
struct Failure : std::runtime_error {
  Failure(std::string kind_of_error, const std::string& message, int at_line = 0)
      : std::runtime_error(message), kind(std::move(kind_of_error)), line(at_line) {}
  std::string kind;
  int line;  ///< 0 where not yet known
};

template <class... Args>
Failure type_error(fmt::format_string<Args...> format, Args&&... args) {
  return {"TypeError", fmt::format(format, std::forward<Args>(args)...)};
}

template <class... Args>
Failure value_error(fmt::format_string<Args...> format, Args&&... args) {
  return {"ValueError", fmt::format(format, std::forward<Args>(args)...)};
}

/// Something that Jinja has and we do not.
template <class... Args>
Failure not_built(fmt::format_string<Args...> format, Args&&... args) {
  return {"not built", fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace alambic::jinja
