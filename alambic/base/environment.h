#pragma once

#include <optional>
#include <string>
#include <vector>

namespace alambic {

/// The value of a variable of the process's environment; nothing where it is not set or empty.
/// Keys are read by secret_of_environment (base/secret.h).
std::optional<std::string> environment_variable(const std::string& name);

/// The value of a variable that can be one of `values`; nothing where it is not set or empty, which
/// means what `unset` says. An input error names the variable and its values where it is another.
std::optional<std::string> environment_choice(const std::string& name,
                                              const std::vector<std::string>& values,
                                              const std::string& unset);

}  // namespace alambic
