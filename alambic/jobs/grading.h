#pragma once

#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/rank_observer.h"
#include "alambic/jobs/rank_roles.h"
#include "alambic/jobs/run_result.h"

namespace alambic {

/// What a teacher's own rank does in a distillation: loads the teachers, and grades until the
/// learners end. Its result is theirs, without figures. Errors: those of DistillPlan and
/// TeacherPool; environment errors of World.
RunResult grade_for_learners(const DistillOptions& options, const RankRoles& roles,
                             RankObserver& observes);

}  // namespace alambic
