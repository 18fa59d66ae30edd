#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "alambic/base/files.h"

namespace alambic {

/// A file without a name in $TMPDIR, gone with this object: data that was unpacked or came through
/// a pipe. Environment errors name the folder and the system's reason.
class Spool {
 public:
  Spool();
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  void write(std::string_view bytes);
  /// The bytes from `at` on, which must have been written.
  void read(uint64_t at, char* bytes, size_t count) const;
  /// A path by which it can be opened, as long as it is there.
  fs::path path() const;

 private:
  std::string folder_;
  int descriptor_ = -1;
};

}  // namespace alambic
