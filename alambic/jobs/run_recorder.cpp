#include "alambic/jobs/run_recorder.h"

#include <cmath>
#include <optional>

#include "alambic/base/progress.h"
#include "alambic/base/units.h"
#include "alambic/report/json_lines.h"
#include "alambic/report/metrics.h"
#include "alambic/report/run_files.h"
#include "alambic/report/tensorboard.h"

namespace alambic {

namespace {

// Made when the run begins, since only then it is known where a resumed one goes on.
struct Writers {
  MetricsWriter metrics;
  EventWriter events;
  JsonLinesWriter samples;
  Progress progress;

  Writers(const fs::path& folder, const std::string& title, int64_t total,
          std::optional<int64_t> resume_step, int64_t done)
      : metrics(folder / run_files::metrics, resume_step),
        events(folder, resume_step),
        samples(folder / run_files::samples, resume_step),
        progress(title, total, done) {}
};

struct RunRecorder : Recorder {
  fs::path folder;
  std::string title;
  RunLength length;
  std::optional<Writers> writers;
  std::string details;
  int64_t done = 0;  // steps, or seconds of a run that is limited by time

  RunRecorder(fs::path folder, std::string title, RunLength length)
      : folder(std::move(folder)), title(std::move(title)), length(length) {}

  bool timed() const { return length.seconds > 0; }

  void begin(std::optional<int64_t> resume_step) override {
    const int64_t total = timed() ? std::llround(length.seconds) : length.steps;
    done = timed() ? 0 : resume_step.value_or(0);
    writers.emplace(folder, title, total, resume_step, done);
  }

  void phase(int64_t, const std::string& name) override {
    writers->progress.update(done, name, details);
  }

  void step(const Metrics& figures) override {
    MetricsRow row;
    double loss = NAN, rate = NAN, step = 0, seconds = 0;
    for (const auto& [name, value] : figures) {
      if (name == "step" || name == "tokens") {
        row.add(name, static_cast<int64_t>(value));
      } else {
        row.add(name, value);
      }
      if (name == "loss") loss = value;
      if (name == "step") step = value;
      if (name == "seconds") seconds = value;
      if (name == "tokens_per_second") rate = value;
    }
    writers->metrics.append(row);
    writers->events.append(row);
    details = fmt::format("{} tok/s · loss {:.4f}", with_separators(std::llround(rate)), loss);
    if (timed()) details = fmt::format("step {:.0f} · {}", step, details);
    done = std::llround(timed() ? std::min(seconds, length.seconds) : step);
    writers->progress.update(done, "", details);
  }

  void sample(const nlohmann::ordered_json& row) override { writers->samples.append(row); }
  void end() override { writers->progress.finish(); }
};

}  // namespace

std::unique_ptr<Recorder> run_recorder(const fs::path& folder, const std::string& title,
                                       const RunLength& length) {
  return std::make_unique<RunRecorder>(folder, title, length);
}

}  // namespace alambic
