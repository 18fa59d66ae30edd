#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "alambic/base/log_head.h"
#include "alambic/train/best_validation.h"
#include "alambic/train/optimizer.h"

namespace alambic {

struct TrainingState {
  int64_t step = 0;                    ///< finished optimizer steps
  double seconds = 0;                  ///< training time so far
  std::optional<BestValidation> best;  ///< of a run that looks for it
  LogHead log;                         ///< where metrics.jsonl stood; no lines: not known
};

/// Writes `folder`/step-NNNNNNNN with the weights that are trained, the optimizer's state,
/// state.json and a manifest of sizes and SHA-256 digests: into a temporary folder first, renamed
/// when everything is on the disk, so a crash never leaves a half checkpoint under a good name.
/// Of a job of several ranks all call it; each writes its parts to files of its own, and waits for
/// the others' disks as long as it takes. Where one cannot write, all end with an environment error
/// and the checkpoints before stay. Only then the oldest beyond `keep` are removed, and the best
/// weights that no checkpoint names. `progress` is called for each tensor.
void save_checkpoint(const std::filesystem::path& folder, const AdamW& optimizer,
                     const TrainingState& state, int64_t keep,
                     const std::function<void()>& progress = {});

/// Whether `folder` holds a checkpoint, usable or not.
bool has_checkpoint(const std::filesystem::path& folder);

/// Loads the newest checkpoint after at most `max_steps` steps whose files match their manifest
/// into the optimizer and the weights that it trains; a damaged or unreadable one is passed over
/// with a warning that says why. Nothing where there is no such checkpoint; where there are some
/// and none can be used, an error with the newest one's reason (its exit code too).
std::optional<TrainingState> load_checkpoint(const std::filesystem::path& folder, AdamW& optimizer,
                                             int64_t max_steps = INT64_MAX);

}  // namespace alambic
