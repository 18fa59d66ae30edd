// Faults of a distillation, before it is run.
#pragma once

#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/preflight/findings.h"

namespace alambic::jobs {

/// Findings on vocabularies, special tokens, chat templates, sampling, data and memory, and, where
/// none of them is a refusal, on one small step of the run itself. Writes nothing; options.run is
/// not looked at. Errors are those of reading the options, the models and the data; refused where
/// the policy is not met.
Findings check(const DistillOptions& options);

}  // namespace alambic::jobs
