// Text that came from anywhere, made safe to stand in HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// Safe as element content and inside quoted attributes: & < > " ' are replaced, control characters
/// that HTML forbids become U+FFFD, and so do bytes that are not UTF-8.
std::string escape_html(std::string_view text);

}  // namespace alambic
