#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace alambic {

/// A line of an HTTP header as libcurl hands it over.
struct HeaderLine {
  std::string name;   ///< in lower case
  std::string value;  ///< without blanks around it
};

/// Nothing where the line has no colon: a status line, the empty one at the end.
std::optional<HeaderLine> parse_header_line(std::string_view line);

}  // namespace alambic
