#pragma once

#include "alambic/flow/rollouts.h"

namespace alambic {

/// Sequences first … last − 1, over the same numbers.
Packed part_of(const Packed& packed, int64_t first, int64_t last);
Rollouts part_of(const Rollouts& rollouts, int64_t first, int64_t last);

}  // namespace alambic
