#include "alambic/base/environment.h"

#include <cstdlib>

namespace alambic {

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

}  // namespace alambic
