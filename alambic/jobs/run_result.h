#pragma once

#include <string>

#include "alambic/base/files.h"
#include "alambic/base/metrics.h"

namespace alambic {

enum class RunEnding {
  finished,   ///< the model is written
  stopped,    ///< ended by a signal, with a checkpoint to resume from
  collapsed,  ///< ended by a sign of collapse, with a checkpoint
};

/// Outcome of a run that trains a model.
struct RunResult {
  RunEnding ending = RunEnding::finished;
  int64_t steps = 0;     ///< finished optimizer steps
  double seconds = 0;    ///< training time: validation and saving do not count
  std::string collapse;  ///< sign for which it ended or went back; empty: none
  Metrics validation;    ///< figures of the final weights; empty without held-out data
  fs::path model;        ///< folder of the trained model; empty unless finished
};

struct TrainingResult;

/// Outcome of a training whose model is not written yet.
RunResult run_result(const TrainingResult& trained);

}  // namespace alambic
