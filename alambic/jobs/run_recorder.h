#pragma once

#include <memory>
#include <string>

#include "alambic/base/files.h"
#include "alambic/train/recorder.h"

namespace alambic {

/// What a run ends by: steps, or seconds where they are not 0.
struct RunLength {
  int64_t steps = 0;
  double seconds = 0;
};

/// Writes metrics.jsonl, TensorBoard events and samples.jsonl, and draws the progress bar.
std::unique_ptr<Recorder> run_recorder(const fs::path& folder, const std::string& title,
                                       const RunLength& length);

}  // namespace alambic
