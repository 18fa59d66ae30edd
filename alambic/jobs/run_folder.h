// The folder of a run: who may write to it, and the figures that go there.
#pragma once

#include <memory>
#include <string>

#include "alambic/base/files.h"
#include "alambic/jobs/run_options.h"
#include "alambic/train/recorder.h"

namespace alambic {

/// Makes --out ready. A folder that holds a run is refused unless --overwrite (its run is removed,
/// nothing else) or --resume (the options must be those of the run, but for the length of the run
/// and how often it saves); a folder with other files is always refused. Writes config.toml.
void open_run_folder(const std::string& command, const Options& options, const RunOptions& run);

/// What a run ends by: steps, or seconds where they are not 0.
struct RunLength {
  int64_t steps = 0;
  double seconds = 0;
};

/// Writes metrics.jsonl, TensorBoard events and samples.jsonl, and draws the progress bar.
std::unique_ptr<Recorder> run_recorder(const fs::path& folder, const std::string& title,
                                       const RunLength& length);

}  // namespace alambic
