#include "alambic/serve/server_key.h"

#include <algorithm>

#include "alambic/base/error.h"

namespace alambic {

std::shared_ptr<const Secret> take_key(const std::string& variable) {
  if (variable.empty()) return nullptr;
  std::shared_ptr<const Secret> key = secret_of_environment(variable);
  if (!key) {
    throw input_error("--key-env {}: this environment variable is not set", variable)
        .with_hint("for example: read -rs " + variable + "; export " + variable);
  }
  if (!std::ranges::all_of(key->reveal(), [](char c) { return c > ' ' && c < '\x7f'; })) {
    throw input_error("--key-env {}: a key has no spaces and no characters beyond ASCII", variable);
  }
  return key;
}

}  // namespace alambic
