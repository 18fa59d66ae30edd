#pragma once

#include <filesystem>

namespace alambic {

/// A new folder for this object alone among the system's temporary files ($TMPDIR), gone with it.
class TemporaryFolder {
 public:
  /// An environment error where none can be made.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace alambic
