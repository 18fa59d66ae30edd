#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// Control characters, with which a text could steer a terminal or forge a line, as \xNN: U+0000 to
/// U+001F, U+007F to U+009F. With `lines`, line breaks and tabs stay.
std::string escape_controls(std::string_view text, bool lines);

}  // namespace alambic
