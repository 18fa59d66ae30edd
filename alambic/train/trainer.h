// The loop that every kind of training shares: learning rate, clipping, the optimizer, validation,
// checkpoints, stopping.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "alambic/dist/world.h"
#include "alambic/train/checkpoint.h"
#include "alambic/train/collapse.h"
#include "alambic/train/optimizer.h"
#include "alambic/train/options.h"
#include "alambic/train/recorder.h"
#include "alambic/train/training_task.h"

namespace alambic {

struct TrainingResult {
  int64_t steps = 0;     ///< finished optimizer steps
  double seconds = 0;    ///< training time: validation and saving do not count
  bool stopped = false;  ///< ended by a signal, with a checkpoint to resume from
  std::string collapse;  ///< the sign that ended the run; empty: none did
  Metrics validation;    ///< figures of the final weights (with load_best those of the best);
                         ///< empty without TrainerParts::validate
};

struct TrainerParts {
  Model& student;
  TrainingTask& task;
  Recorder& recorder;
  /// Figures of the current weights, names beginning "valid_"; may be empty.
  std::function<Metrics(int64_t step)> validate;
  /// Called on all ranks before `validate`: what it looks at is written by ranks together, and the
  /// student's layers come as they are needed. Empty: `validate` writes, with a student that is
  /// whole.
  std::function<void()> write_validation = {};
  /// checkpoints/ of the run folder.
  std::filesystem::path checkpoints;
  /// Watch for signs of collapse; null: none.
  CollapseWatch* watch = nullptr;
  OnCollapse on_collapse = OnCollapse::warn;
  /// Figures of the steps before, of a resumed run: the watch sees them first.
  std::vector<Metrics> history;
  /// Ranks that take each step together: they sum their gradients, so that all have the same
  /// weights. Rank 0 alone validates, records and writes checkpoints; every rank reads them.
  std::shared_ptr<const World> world = std::make_shared<World>();
  /// The student's layers, of which each rank has a part; null: all are here. They are whole when
  /// the training ends.
  std::shared_ptr<LayerWeights> layers = nullptr;
  /// Told of every phase of every rank's steps, update and validation and saving among them; may be
  /// empty.
  std::function<void(int64_t step, const std::string& phase)> on_phase = {};
  /// Layers of the models beside the student that a validation reads and that are not all on rank
  /// 0.
  std::vector<LayerWeights*> read_layers = {};
};

/// Trains until max_steps (above 0 here), max_seconds, early_stopping or a signal. With `load_best`
/// the best validation's weights are in the student at the end. With `resume` it continues from the
/// newest whole checkpoint, or from step 0 where none was written yet; checkpoints, and the end
/// after a signal, wait until the task rests. A step whose loss or gradient is not finite changes
/// nothing; three in a row end the run with an error.
TrainingResult train(const TrainingOptions& options, const TrainerParts& parts, bool resume);

}  // namespace alambic
