#pragma once

#include "alambic/cli/objective_options.h"
#include "alambic/objective/divergence.h"

namespace alambic {

/// "0.7*reverse_kl+0.3*tvd" as terms. Input errors: an unknown name, a name twice, a weight that is
/// no positive number, weights that do not sum to 1; an option of the table that this objective
/// does not read.
Divergence divergence_of(const ObjectiveOptions& options);

}  // namespace alambic
