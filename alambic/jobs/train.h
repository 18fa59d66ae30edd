// Next-token training: from scratch on text, or on completions.
#pragma once

#include "alambic/jobs/run_result.h"
#include "alambic/jobs/train_options.h"
#include "alambic/train/recorder.h"

namespace alambic::jobs {

/// Next-token training from beginning to end; the run folder options.run.out (docs/formats.md)
/// then holds the trained model. `observer` is told of every step after the run folder has it;
/// null: none. Errors as those of distill.
RunResult train(const TrainOptions& options, Recorder* observer = nullptr);

}  // namespace alambic::jobs
