#include "alambic/jobs/run_recorder.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "alambic/base/file_system.h"
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

  Writers(const fs::path& folder, std::optional<int64_t> resume_step)
      : metrics(folder / run_files::metrics, resume_step),
        events(folder, resume_step),
        samples(folder / run_files::samples, resume_step) {}
};

struct RunRecorder : Recorder {
  fs::path folder;
  Recorder* observer;
  std::optional<Writers> writers;

  RunRecorder(fs::path folder, Recorder* observer)
      : folder(std::move(folder)), observer(observer) {}

  void plan(int64_t steps) override {
    if (observer != nullptr) observer->plan(steps);
  }
  void begin(std::optional<int64_t> resume_step) override {
    writers.emplace(folder, resume_step);
    if (observer != nullptr) observer->begin(resume_step);
  }
  void phase(int64_t done, const std::string& name) override {
    if (observer != nullptr) observer->phase(done, name);
  }
  void step(const Metrics& figures) override {
    MetricsRow row;
    for (const auto& [name, value] : figures) {
      if (name == "step" || name == "tokens") {
        row.add(name, static_cast<int64_t>(value));
      } else {
        row.add(name, value);
      }
    }
    writers->metrics.append(row);
    writers->events.append(row);
    if (observer != nullptr) observer->step(figures);
  }
  void sample(const nlohmann::ordered_json& row) override {
    writers->samples.append(row);
    if (observer != nullptr) observer->sample(row);
  }
  void end() override {
    if (observer != nullptr) observer->end();
  }
  LogHead log_head() const override { return writers->metrics.head(); }
  void check_log(const LogHead& then) override {
    if (observer != nullptr) observer->check_log(then);
  }
  void saved(int64_t step) override {
    if (observer != nullptr) observer->saved(step);
  }
};

struct SilentRecorder : Recorder {
  void begin(std::optional<int64_t>) override {}
  void phase(int64_t, const std::string&) override {}
  void step(const Metrics&) override {}
  void sample(const nlohmann::ordered_json&) override {}
  void end() override {}
};

}  // namespace

std::unique_ptr<Recorder> run_recorder(const RunFolder& folder, Recorder* observer) {
  if (!folder.writes()) return std::make_unique<SilentRecorder>();
  return std::make_unique<RunRecorder>(folder.path(), observer);
}

std::vector<Metrics> figures_so_far(const RunFolder& folder) {
  std::vector<Metrics> history;
  if (!path_exists(folder.metrics())) return history;
  for (const MetricsRow& row : read_metrics(folder.metrics())) {
    Metrics& figures = history.emplace_back();
    for (const auto& [name, value] : row.entries) {
      if (const auto number = row.number(name)) figures.emplace_back(name, *number);
    }
  }
  return history;
}

}  // namespace alambic
