// The main job: a teacher grades a student's own completions, and the student learns.
#pragma once

#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/run_result.h"
#include "alambic/train/recorder.h"

namespace alambic::jobs {

/// Distillation from beginning to end: looks at the models before it loads them, trains, and writes
/// the run folder options.run.out (docs/formats.md) with the trained model in it.
/// `observer` is told of every step after the run folder has it; null: none. What it throws ends
/// the run.
/// Errors: input (options that contradict each other, files that cannot be used, a folder that
/// holds a run), environment (another run in the folder, a full disk), refused (the preflight).
RunResult distill(const DistillOptions& options, Recorder* observer = nullptr);

}  // namespace alambic::jobs
