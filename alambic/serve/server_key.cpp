#include "alambic/serve/server_key.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "alambic/base/error.h"

namespace alambic {

std::string take_key(const std::string& variable) {
  if (variable.empty()) return "";
  char* value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') {
    throw input_error("--key-env {}: this environment variable is not set", variable)
        .with_hint("for example: read -rs " + variable + "; export " + variable);
  }
  std::string key = value;
  std::memset(value, 0, key.size());
  ::unsetenv(variable.c_str());
  if (!std::ranges::all_of(key, [](char c) { return c > ' ' && c < '\x7f'; })) {
    throw input_error("--key-env {}: a key has no spaces and no characters beyond ASCII", variable);
  }
  return key;
}

}  // namespace alambic
