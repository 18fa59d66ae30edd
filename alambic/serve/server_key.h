#pragma once

#include <string>

namespace alambic {

/// The key in an environment variable, which is wiped and unset, so that neither child processes
/// nor /proc show it; "" for no name. An input error where the variable is not set, or holds no key
/// of printable characters.
std::string take_key(const std::string& variable);

}  // namespace alambic
