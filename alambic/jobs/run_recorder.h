#pragma once

#include <memory>
#include <vector>

#include "alambic/jobs/run_folder.h"
#include "alambic/train/recorder.h"

namespace alambic {

/// Writer of metrics.jsonl, TensorBoard events and samples.jsonl; then it tells `observer`, which
/// may be null and must outlive it. Where this process does not write to the folder it does
/// neither.
std::unique_ptr<Recorder> run_recorder(const RunFolder& folder, Recorder* observer);

/// Rows of metrics.jsonl that a resumed run finds.
std::vector<Metrics> figures_so_far(const RunFolder& folder);

}  // namespace alambic
