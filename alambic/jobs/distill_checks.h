#pragma once

#include "alambic/jobs/distill_options.h"
#include "alambic/objective/parse.h"

namespace alambic {

/// Refuses options of a distillation that contradict each other, before anything is loaded. Returns
/// the objective that they name. Input errors: a condition of the table that does not hold
/// (options/conditions.h), an option that the objective has no use for or misses, those of
/// objective_of.
Objective check_options(const DistillOptions& options);

}  // namespace alambic
