#pragma once

#include "alambic/jobs/distill_setup.h"
#include "alambic/jobs/validation.h"

namespace alambic {

/// Figures of the current weights on --valid-data, names beginning "valid_": agreement with the
/// teachers on the student's own completions, drawn alike each time, and exact match of greedy
/// completions where the rows have an answer. Empty without --valid-data. A cached teacher cannot
/// grade new completions. Input errors: rows that give no figure. `setup` must outlive it.
Validation distill_validation(const DistillSetup& setup);

}  // namespace alambic
