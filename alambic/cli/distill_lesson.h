// The options of a distillation in the form that its lesson takes.
#pragma once

#include "alambic/cli/distill_options.h"
#include "alambic/cli/model_pair.h"
#include "alambic/train/distillation.h"

namespace alambic {

/// How answers are drawn.
EngineOptions engine_of(const DistillOptions& options, const LoadedModel& student);

/// Input errors: those of the objective's options.
DistillationOptions lesson_options(const DistillOptions& options, const LoadedModel& student);

}  // namespace alambic
