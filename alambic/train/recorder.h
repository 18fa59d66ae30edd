#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "alambic/base/log_head.h"
#include "alambic/base/metrics.h"

namespace alambic {

/// Receiver of a run's figures; the command line writes them to the run folder and the terminal.
struct Recorder {
  virtual ~Recorder() = default;
  /// Steps of the whole run, before begin().
  virtual void plan(int64_t /*steps*/) {}
  /// Call before the first step; a resumed run says after which step it goes on.
  virtual void begin(std::optional<int64_t> resume_step) = 0;
  /// Phase of the step after `done` finished ones, just begun.
  virtual void phase(int64_t done, const std::string& name) = 0;
  /// The figures of a finished step; "step" (from 1) comes first.
  virtual void step(const Metrics& row) = 0;
  /// A completion of a finished step; its "step" counts as that of the figures.
  virtual void sample(const nlohmann::ordered_json& row) = 0;
  virtual void end() = 0;
  /// Where the log of figures stands; of a receiver without one, nowhere.
  virtual LogHead log_head() const { return {}; }
  /// Told after begin() of a resumed run where the log stood at the checkpoint.
  virtual void check_log(const LogHead& /*then*/) {}
  /// Told after a checkpoint has been written.
  virtual void saved(int64_t /*step*/) {}
};

}  // namespace alambic
