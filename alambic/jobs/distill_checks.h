#pragma once

#include "alambic/jobs/distill_options.h"

namespace alambic {

/// Refuses options of a distillation that contradict each other, before anything is loaded. Input
/// errors: a condition of the table that does not hold (options/conditions.h), an option that the
/// objective has no use for or misses, those of objective_of.
void check_options(const DistillOptions& options);

}  // namespace alambic
