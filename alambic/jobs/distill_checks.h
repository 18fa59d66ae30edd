#pragma once

#include "alambic/jobs/distill_options.h"

namespace alambic {

/// What the options of a distillation say about each other, before anything is loaded. Input
/// errors: an option that has no effect with the others, one that is missing, those of
/// objective_of.
void check_options(const DistillOptions& options);

}  // namespace alambic
