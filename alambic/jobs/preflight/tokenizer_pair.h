#pragma once

#include "alambic/jobs/preflight/preflight.h"

namespace alambic {

/// What a teacher with another tokenizer and the student have in common, on texts of the run's
/// data: common tokens, spans, what is masked, both templates, and what to do about it.
Findings describe_pair(const DistillPlan& plan, const PlannedTeacher& teacher);

}  // namespace alambic
