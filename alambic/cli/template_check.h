// The chat templates of a run's models, tried on a small conversation.
#pragma once

#include "alambic/cli/preflight.h"

namespace alambic {

/// Whether the student's template begins an answer when asked to, and whether every teacher's makes
/// the same text. Empty when no model has a template.
Findings check_templates(const Outlines& models);

}  // namespace alambic
