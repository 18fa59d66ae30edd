#pragma once

#include "alambic/train/options.h"

namespace alambic {

/// Options with max_steps worked out, and said where --epochs makes them: epochs · sequences /
/// batch_size, rounded up, each batch for `steps_per_batch` optimizer steps. `sequences`: those of
/// one pass over the data.
TrainingOptions with_steps(TrainingOptions options, int64_t sequences, int64_t steps_per_batch = 1);

}  // namespace alambic
