#pragma once

#include "alambic/jobs/distill_plan.h"
#include "alambic/remote/grader.h"

namespace alambic {

/// Holds a server's grades of the probe's text against those of its copy in --teacher-local, where
/// there is one. An input error where they differ by more than --teacher-noise.
void check_local_copy(const DistillPlan& plan, const RemoteGrader& grader);

}  // namespace alambic
