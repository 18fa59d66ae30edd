// A file that only grows, record by record, so that a crash can tear the last record at most.
#pragma once

#include <string_view>

#include "alambic/base/files.h"

namespace alambic {

/// Creates the file when it is missing. Errors are environment errors naming the path.
class AppendFile {
 public:
  explicit AppendFile(const fs::path& path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Hands all bytes to the system before it returns: a reader sees them at once.
  void append(std::string_view bytes);

 private:
  fs::path path_;
  int descriptor_;
};

}  // namespace alambic
