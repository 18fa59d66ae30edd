#include "alambic/jobs/run_folder.h"

#include <cmath>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/names.h"
#include "alambic/base/progress.h"
#include "alambic/base/units.h"
#include "alambic/hub/hub_models.h"
#include "alambic/options/config_toml.h"
#include "alambic/report/json_lines.h"
#include "alambic/report/metrics.h"
#include "alambic/report/tensorboard.h"

namespace alambic {

namespace {

bool belongs_to_run(const std::string& name) {
  static const std::set<std::string> names = {"config.toml", "metrics.jsonl", "samples.jsonl",
                                              "report.html", "results.json",  "checkpoints",
                                              "model",       "adapter",       "provenance"};
  return names.contains(name) || name.starts_with("events.out.tfevents.");
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  return lines;
}

// Options that may change when a run is resumed.
bool may_change(const std::string& line) {
  for (const char* key : {"resume", "overwrite", "max-steps", "max-seconds", "save-every",
                          "valid-every", "keep-checkpoints", "on-collapse"}) {
    if (line.starts_with(std::string(key) + " =")) return true;
  }
  return line.empty() || line.starts_with('#');
}

void check_same_options(const fs::path& file, const std::string& now) {
  std::set<std::string> before, after;
  for (const std::string& line : split_lines(read_file(file))) {
    if (!may_change(line)) before.insert(line);
  }
  for (const std::string& line : split_lines(now)) {
    if (!may_change(line)) after.insert(line);
  }
  std::vector<std::string> differences;
  for (const std::string& line : after) {
    if (!before.contains(line)) differences.push_back(line);
  }
  for (const std::string& line : before) {
    if (!after.contains(line)) differences.push_back("(before) " + line);
  }
  if (differences.empty()) return;
  throw input_error("cannot resume the run of {}: its options differ: {}", file.string(),
                    join(differences, "; "))
      .with_hint("give the options of the first run, or start a new run in another --out");
}

// Made when the run begins, since only then it is known where a resumed one goes on.
struct Writers {
  MetricsWriter metrics;
  EventWriter events;
  JsonLinesWriter samples;
  Progress progress;

  Writers(const fs::path& folder, const std::string& title, int64_t total,
          std::optional<int64_t> resume_step, int64_t done)
      : metrics(folder / "metrics.jsonl", resume_step),
        events(folder, resume_step),
        samples(folder / "samples.jsonl", resume_step),
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

void open_run_folder(const std::string& command, const Options& options, const RunOptions& run) {
  const fs::path folder = run.out;
  const std::string config = config_toml(command, options, as_hub_name);
  if (path_exists(folder) && !is_folder(folder)) {
    throw input_error("--out {} exists and is not a folder", folder.string());
  }
  std::vector<fs::path> of_run;
  if (path_exists(folder)) {
    for (const fs::path& entry : list_folder(folder)) {
      const std::string name = entry.filename();
      if (!belongs_to_run(name)) {
        throw input_error("--out {} holds \"{}\", which is not part of a run", folder.string(),
                          name)
            .with_hint("choose a new or empty folder");
      }
      of_run.push_back(entry);
    }
  }
  if (run.resume) {
    if (!path_exists(folder / "config.toml")) {
      throw input_error("cannot resume: {} holds no run", folder.string());
    }
    check_same_options(folder / "config.toml", config);
  } else if (!of_run.empty() && !run.overwrite) {
    throw input_error("--out {} already holds a run", folder.string())
        .with_hint("--resume continues it, --overwrite replaces it, or choose another folder");
  } else {
    for (const fs::path& path : of_run) remove_path(path);
  }
  make_folder(folder);
  write_file(folder / "config.toml", config);
}

std::unique_ptr<Recorder> run_recorder(const fs::path& folder, const std::string& title,
                                       const RunLength& length) {
  return std::make_unique<RunRecorder>(folder, title, length);
}

}  // namespace alambic
