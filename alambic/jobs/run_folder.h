// The folder of a run and who may write to it.
#pragma once

#include <optional>
#include <string>

#include "alambic/base/file_lock.h"
#include "alambic/base/files.h"
#include "alambic/dist/world.h"
#include "alambic/jobs/run_options.h"

namespace alambic {

/// Folder --out of one run, locked for as long as the object lives.
class RunFolder {
 public:
  /// Makes the folder ready and writes config.toml. One that holds a run is refused unless
  /// --overwrite (its run is removed, nothing else) or --resume (check_resumed_options; in an empty
  /// or missing folder a new run begins, so that a job that is started again and again needs one
  /// command only). A folder with other files, or with names of a run's files and no config.toml of
  /// a run, is always refused, and so is one that check_outputs refuses. Another run in the same
  /// folder is an environment error that names its process.
  /// Of a job of several ranks rank 0 makes it ready, and the others only know it.
  RunFolder(const std::string& command, const Options& options, const RunOptions& run,
            const World& world = {});

  /// Whether an earlier part of the run is there, perhaps without a checkpoint.
  bool resumes() const { return resumes_; }
  /// Whether this process writes to the folder.
  bool writes() const { return lock_.has_value(); }

  const fs::path& path() const { return path_; }
  fs::path checkpoints() const;
  fs::path metrics() const;
  fs::path model() const;

 private:
  void make_ready(const std::string& config, const Options& options, const RunOptions& run);

  fs::path path_;
  std::optional<FileLock> lock_;
  bool resumes_ = false;
};

}  // namespace alambic
