// A run as the terminal shows it.
#pragma once

#include <cmath>
#include <optional>
#include <string>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/progress.h"
#include "alambic/base/units.h"
#include "alambic/jobs/run_result.h"
#include "alambic/train/options.h"
#include "alambic/train/recorder.h"

namespace alambic {

/// Progress bar of a run: over its steps, or over its seconds where they limit it.
class RunProgress : public Recorder {
 public:
  RunProgress(std::string title, const TrainingOptions& training)
      : title_(std::move(title)), seconds_(training.max_seconds) {}

  void plan(int64_t steps) override { steps_ = steps; }
  void begin(std::optional<int64_t> resume_step) override {
    done_ = timed() ? 0 : resume_step.value_or(0);
    bar_.emplace(title_, timed() ? std::llround(seconds_) : steps_, done_);
  }
  void phase(int64_t, const std::string& name) override { bar_->update(done_, name, details_); }
  void step(const Metrics& figures) override {
    double loss = NAN, rate = NAN, step = 0, seconds = 0;
    for (const auto& [name, value] : figures) {
      if (name == "loss") loss = value;
      if (name == "step") step = value;
      if (name == "seconds") seconds = value;
      if (name == "tokens_per_second") rate = value;
    }
    details_ = fmt::format("{} tok/s · loss {:.4f}", with_separators(std::llround(rate)), loss);
    if (timed()) details_ = fmt::format("step {:.0f} · {}", step, details_);
    done_ = std::llround(timed() ? std::min(seconds, seconds_) : step);
    bar_->update(done_, "", details_);
  }
  void sample(const nlohmann::ordered_json&) override {}
  void end() override { bar_->finish(); }

 private:
  bool timed() const { return seconds_ > 0; }

  std::string title_, details_;
  int64_t steps_ = 0;
  double seconds_;
  int64_t done_ = 0;  // steps, or seconds of a run that is limited by time
  std::optional<Progress> bar_;
};

/// Says how a run ended; returns its exit code, or throws the refusal of a collapsed one.
inline int tell(const RunResult& result) {
  switch (result.ending) {
    case RunEnding::stopped:
      say("stopped after step {}; the same command with --resume continues", result.steps);
      return static_cast<int>(Exit::stopped);
    case RunEnding::collapsed:
      throw Error(Exit::refused,
                  fmt::format("stopped after step {}: {}", result.steps, result.collapse),
                  "a lower --learning-rate; --resume --on-collapse warn goes on all the same");
    case RunEnding::finished:
      break;
  }
  say("wrote {} after {} steps in {:.0f} s", result.model.string(), result.steps, result.seconds);
  return 0;
}

}  // namespace alambic
