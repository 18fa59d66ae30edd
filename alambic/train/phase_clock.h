#pragma once

#include <string>

#include "alambic/base/stopwatch.h"
#include "alambic/tensor/tensor.h"
#include "alambic/train/training_task.h"

namespace alambic {

/// The phases of a step: which one runs, for who shows it, and how long each took in all. A phase
/// ends when the device has done its work, or its time would be another phase's.
class PhaseClock {
 public:
  /// `callback` must outlive the clock.
  explicit PhaseClock(const PhaseCallback& callback, at::Device device = at::kCPU)
      : callback_(callback), device_(device) {}

  /// Ends the phase that runs and begins this one; nothing where it is the same.
  void begin(const std::string& phase);
  /// Ends the phase that runs. "PHASE_seconds" of every phase, in the order of their first begin.
  Metrics seconds();

 private:
  void end();

  const PhaseCallback& callback_;
  at::Device device_;
  Stopwatch watch_;
  std::string running_;  // empty: none
  Metrics seconds_;
};

}  // namespace alambic
