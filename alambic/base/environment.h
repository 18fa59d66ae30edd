#pragma once

#include <optional>
#include <string>

namespace alambic {

/// The value of a variable of the process's environment; nothing where it is not set or empty.
/// Keys are read by secret_of_environment (base/secret.h).
std::optional<std::string> environment_variable(const std::string& name);

}  // namespace alambic
