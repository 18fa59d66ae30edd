#include "alambic/base/environment.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "alambic/base/error.h"

namespace alambic {

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::optional<std::string> environment_choice(const std::string& name,
                                              const std::vector<std::string>& values,
                                              const std::string& unset) {
  std::optional<std::string> value = environment_variable(name);
  if (!value || std::ranges::find(values, *value) != values.end()) return value;
  throw input_error("the environment variable {} is '{}', expected {}", name, *value,
                    fmt::join(values, " or "))
      .with_hint("unset, " + unset);
}

}  // namespace alambic
