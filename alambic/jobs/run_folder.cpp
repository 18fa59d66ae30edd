#include "alambic/jobs/run_folder.h"

#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/hub/hub_models.h"
#include "alambic/jobs/resumed_options.h"
#include "alambic/options/config_toml.h"
#include "alambic/options/outputs.h"
#include "alambic/report/run_files.h"
#include "alambic/train/checkpoint.h"

namespace alambic {

namespace {

// Files that a run has left in the folder. Refuses a folder with anything else.
std::vector<fs::path> files_of_run(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!path_exists(folder)) return files;
  if (!is_folder(folder)) {
    throw input_error("--out {} exists and is not a folder", folder.string());
  }
  for (const fs::path& entry : list_folder(folder)) {
    const std::string name = entry.filename();
    if (name == run_files::lock) continue;
    if (!run_files::belongs_to_run(name)) {
      throw input_error("--out {} holds \"{}\", which is not part of a run", folder.string(), name)
          .with_hint("choose a new or empty folder");
    }
    files.push_back(entry);
  }
  return files;
}

// Without what was said of this call alone: `--config run/config.toml` shall not replace a run.
std::string as_kept(std::string config) {
  for (const std::string key : {"resume", "overwrite", "allow-change"}) {
    const std::string set = "\n" + key + " = true\n";
    const size_t place = config.find(set);
    if (place != std::string::npos) {
      config.replace(place, set.size(), "\n" + key + " = false\n");
    }
  }
  return config;
}

// A run is known by the first line of its config.toml; a folder that only looks like one (a "model"
// beside a config.toml) is somebody's.
bool is_run(const fs::path& folder) {
  const fs::path config = folder / run_files::config;
  return is_file(config) && read_file(config).starts_with("# alambic ");
}

// config.toml goes last, so that what is left after a crash is known as a run's.
void remove_run(const fs::path& folder, const std::vector<fs::path>& files) {
  if (files.empty()) return;
  if (!is_run(folder)) {
    throw input_error("--out {} holds \"{}\", but no config.toml of a run", folder.string(),
                      files.front().filename().string())
        .with_hint("choose a new or empty folder, or remove what is there by hand");
  }
  for (const fs::path& path : files) {
    if (path.filename() != run_files::config) remove_path(path);
  }
  remove_path(folder / run_files::config);
}

// Taken before anything in the folder is read or changed.
FileLock lock_folder(const fs::path& folder) {
  make_folder(folder);
  const fs::path file = folder / run_files::lock;
  if (auto lock = FileLock::try_acquire(file)) return std::move(*lock);
  throw environment_error("another run is on in --out {}: {}", folder.string(),
                          FileLock::holder_of(file))
      .with_hint("wait for it, stop it (SIGTERM saves a checkpoint), or choose another folder");
}

}  // namespace

RunFolder::RunFolder(const std::string& command, const Options& options, const RunOptions& run,
                     const World& world)
    : path_(run.out) {
  if (world.leads()) {
    make_ready(as_kept(config_toml(command, options, as_hub_name)), options, run);
  }
  resumes_ = world.from_first(resumes_ ? 1.0 : 0.0, "preparing the run folder") > 0;
}

void RunFolder::make_ready(const std::string& config, const Options& options,
                           const RunOptions& run) {
  check_outputs(OptionTable(options));
  files_of_run(path_);  // no lock goes into a folder that is no run's
  lock_.emplace(lock_folder(path_));
  const std::vector<fs::path> before = files_of_run(path_);
  if (run.resume && !before.empty()) {
    if (!path_exists(path_ / run_files::config)) {
      throw input_error("cannot resume: {} holds no run", path_.string())
          .with_hint("choose the folder of a run, or a new or empty one for a new run");
    }
    check_resumed_options(path_, config, OptionTable(options), run.allow_change);
    // The card is the last file of an exported model.
    if (path_exists(model() / "README.md") && !has_checkpoint(checkpoints())) {
      throw input_error("cannot resume: the run of {} is finished and kept no checkpoint",
                        path_.string())
          .with_hint("--overwrite runs it again; with --save-every checkpoints are kept");
    }
    resumes_ = true;
  } else if (!before.empty() && !run.overwrite) {
    throw input_error("--out {} already holds a run", path_.string())
        .with_hint("--resume continues it, --overwrite replaces it, or choose another folder");
  } else {
    if (run.resume) say("nothing to resume in {}: a new run begins", path_.string());
    remove_run(path_, before);
  }
  write_file(path_ / run_files::config, config);
}

fs::path RunFolder::checkpoints() const { return path_ / run_files::checkpoints; }
fs::path RunFolder::metrics() const { return path_ / run_files::metrics; }
fs::path RunFolder::model() const { return path_ / run_files::model; }

}  // namespace alambic
