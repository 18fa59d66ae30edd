// "Did you mean …?" for unknown options, architectures and tensor names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace alambic {

/// Levenshtein distance in bytes.
int edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `name`, or "" when none is within a third of its length (at least 2).
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// "a, b, c"
std::string join(const std::vector<std::string>& parts, std::string_view separator = ", ");

}  // namespace alambic
