// This test program again, once a rank.
#pragma once

#include <string>

#include "alambic/base/process_group.h"

namespace alambic {

/// Runs the (disabled) tests that `filter` names in `size` processes, with what torchrun sets and
/// these variables beside. They meet at a port that is free.
GroupResult run_ranks(int64_t size, const std::string& filter,
                      const std::vector<std::pair<std::string, std::string>>& variables = {});

}  // namespace alambic
