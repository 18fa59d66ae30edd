#pragma once

#include <string_view>

#include "alambic/base/output_place.h"

namespace alambic {

/// A file that appears whole or not at all: bytes go to a temporary one beside it, which commit()
/// flushes to the disk and renames. Without commit() nothing is left behind. A link is followed:
/// the file that it points to is replaced, the link stays. A file that is replaced keeps its
/// permissions. Pipes, character devices and open files of this process (/dev/stdout) get the bytes
/// as they come. Errors are those of output_place and write_error.
class AtomicFile {
 public:
  explicit AtomicFile(const fs::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void commit();

 private:
  [[noreturn]] void fail() const;
  bool is_file() const { return place_.kind == OutputPlace::Kind::file; }
  fs::path named_;  // as the caller wrote it
  OutputPlace place_;
  fs::path temporary_;  // empty where bytes are written as they come
  int descriptor_ = -1;
};

}  // namespace alambic
