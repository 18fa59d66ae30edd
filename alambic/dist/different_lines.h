#pragma once

#include <sstream>
#include <string>
#include <utility>

namespace alambic {

/// The first line that is not the same in both texts; of a text that has ended, "".
inline std::pair<std::string, std::string> different_lines(const std::string& a,
                                                           const std::string& b) {
  std::istringstream lines_a(a), lines_b(b);
  while (lines_a || lines_b) {
    std::string line_a, line_b;
    std::getline(lines_a, line_a);
    std::getline(lines_b, line_b);
    if (line_a != line_b) return {line_a, line_b};
  }
  return {};
}

}  // namespace alambic
