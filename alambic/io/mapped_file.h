#pragma once

#include <cstddef>
#include <span>

#include "alambic/base/files.h"

namespace alambic {

/// Access to a file's memory. Written to (bytes() without their const), a page of copy_on_write
/// becomes this process's own; the file never changes.
enum class Pages { read_only, copy_on_write };

/// A whole file mapped into memory; pages are read when they are touched. Whoever shortens the file
/// meanwhile ends this process by SIGBUS; renaming another over it or removing it does no harm.
class MappedFile {
 public:
  /// Only regular files; errors name the path and the system's reason.
  static MappedFile open(const fs::path& path, Pages pages = Pages::read_only);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }
  /// Gives back the memory of the whole pages within `part`, which are read again when they are
  /// touched. What was written to them is lost. Does nothing for memory that is not the file's.
  void release(std::span<const std::byte> part) const;

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace alambic
