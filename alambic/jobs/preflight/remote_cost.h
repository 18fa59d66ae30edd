// What a run will ask of servers, before it is begun.
#pragma once

#include <optional>

#include "alambic/jobs/distill_plan.h"
#include "alambic/jobs/preflight/findings.h"

namespace alambic {

/// Most tokens that the run's teachers behind an address will read and write, with completions of
/// full length.
Usage expected_usage(const DistillPlan& plan);

/// That and its price; a warning where the budget is less. Nothing without such a teacher.
std::optional<Finding> check_cost(const DistillPlan& plan);

}  // namespace alambic
