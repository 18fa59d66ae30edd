// The chat templates of a run's models, tried on the conversations of its data.
#pragma once

#include "alambic/jobs/preflight/preflight.h"

namespace alambic {

/// Whether the student's template begins a completion when asked to and ends one with a special
/// token, and whether every teacher's makes the same text: of the first conversations of the data,
/// or of a greeting where it holds none. Empty when no model has a template.
Findings check_templates(const DistillPlan& plan);

}  // namespace alambic
