#include "alambic/jobs/run_folder.h"

#include <set>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/hub/hub_models.h"
#include "alambic/options/config_toml.h"
#include "alambic/report/run_files.h"
#include "alambic/train/checkpoint.h"

namespace alambic {

namespace {

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

RunFolder::RunFolder(const std::string& command, const Options& options, const RunOptions& run)
    : path_(run.out) {
  const std::string config = config_toml(command, options, as_hub_name);
  files_of_run(path_);  // no lock goes into a folder that is no run's
  lock_.emplace(lock_folder(path_));
  const std::vector<fs::path> before = files_of_run(path_);
  if (run.resume && !before.empty()) {
    if (!path_exists(path_ / run_files::config)) {
      throw input_error("cannot resume: {} holds no run", path_.string())
          .with_hint("--overwrite replaces what is there");
    }
    check_same_options(path_ / run_files::config, config);
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
    for (const fs::path& path : before) remove_path(path);
  }
  write_file(path_ / run_files::config, config);
}

fs::path RunFolder::checkpoints() const { return path_ / run_files::checkpoints; }
fs::path RunFolder::metrics() const { return path_ / run_files::metrics; }
fs::path RunFolder::model() const { return path_ / run_files::model; }

}  // namespace alambic
