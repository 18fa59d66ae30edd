#pragma once

#include <memory>
#include <string>

#include "alambic/base/secret.h"

namespace alambic {

/// The key in an environment variable, which is taken out of it; null for no name. An input error
/// where the variable is not set, or holds no key of printable characters.
std::shared_ptr<const Secret> take_key(const std::string& variable);

}  // namespace alambic
