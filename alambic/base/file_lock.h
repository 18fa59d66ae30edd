// Locks between processes that end with their holder, however it ends.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "alambic/base/files.h"

namespace alambic {

/// Exclusive lock on a file. The kernel releases it when the holding process ends, so a lock file
/// that a crash left behind locks nothing.
class FileLock {
 public:
  /// Lock of `path`, a file that is made where it is missing and names its holder; nothing where
  /// another holder has it. Never waits. Environment errors name the path and the system's reason.
  static std::optional<FileLock> try_acquire(const fs::path& path);
  /// Holder of `path`, for an error: "process 4711 on node7"; "another process" where the file
  /// does not say.
  static std::string holder_of(const fs::path& path);

  FileLock(FileLock&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  /// Removes the file.
  ~FileLock();

 private:
  FileLock(fs::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  fs::path path_;
  int descriptor_;
};

}  // namespace alambic
