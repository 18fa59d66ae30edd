#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/base/metrics.h"
#include "alambic/train/optimizer.h"

namespace alambic {

/// Report of one step up to the optimizer: the gradients are in the parameters. Of a job of several
/// ranks loss, means and gradients are this rank's summands, the rest is of the whole step.
struct StepReport {
  double loss = 0;                              ///< mean over the step's graded tokens
  int64_t tokens = 0;                           ///< graded
  std::map<std::string, double> means;          ///< per graded token: reverse_kl, agreement, …
  Metrics extra;                                ///< completion_length, eos_share, …
  Metrics seconds;                              ///< per phase: generate, grade, learn; this rank's
  std::vector<nlohmann::ordered_json> samples;  ///< rows for samples.jsonl; "step" from 1
};

/// Says which phase is running; the trainer shows it on the progress bar.
using PhaseCallback = std::function<void(const std::string& phase)>;

/// One kind of training. The trainer owns everything that the kinds share.
struct TrainingTask {
  virtual ~TrainingTask() = default;
  /// Adds the gradients of optimizer step `step` (from 0) to the student's parameters. A pure
  /// function of the weights, the options and `step`, and of those since it last rested.
  virtual StepReport forward_backward(int64_t step, const PhaseCallback& phase) = 0;
  /// Parameters trained beside the student: in checkpoints, not in the exported model.
  virtual NamedTensors extra_parameters() const { return {}; }
  /// Tells whether can_checkpoint_after() the next step is wanted, of a task to which that matters.
  virtual void rest_after_next(bool /*wanted*/) {}
  /// Whether a run can go on from here, after `steps` finished ones, with the weights alone: false
  /// in the middle of several steps on the same completions.
  virtual bool can_checkpoint_after(int64_t /*steps*/) const { return true; }
};

}  // namespace alambic
