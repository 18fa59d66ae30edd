#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// Text from a file as it may stand in a message: control characters, with which it could steer a
/// terminal or forge a line, become \xNN, and what goes beyond 120 bytes is left out.
std::string printable(std::string_view text);

}  // namespace alambic
