#pragma once

#include <string_view>

#include "alambic/base/files.h"

namespace alambic {

/// A file that appears whole or not at all: bytes go to a temporary one beside it, which commit()
/// flushes to the disk and renames. Without commit() nothing is left behind. Errors are environment
/// errors naming the path and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(fs::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void commit();

 private:
  [[noreturn]] void fail() const;
  fs::path path_, temporary_;
  int descriptor_;
};

}  // namespace alambic
