#pragma once

#include <string_view>

namespace alambic {

/// What C++23's std::string_view::contains says.
inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

}  // namespace alambic
