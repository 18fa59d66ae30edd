#pragma once

#include <string>
#include <utility>
#include <vector>

namespace alambic {

/// Named figures in the order in which they are shown.
using Metrics = std::vector<std::pair<std::string, double>>;

}  // namespace alambic
