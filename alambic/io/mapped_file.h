#pragma once

#include <cstddef>
#include <span>

#include "alambic/base/files.h"

namespace alambic {

/// A whole file mapped read-only into memory; pages are read when they are touched.
class MappedFile {
 public:
  /// Only regular files; errors name the path and the system's reason.
  static MappedFile open(const fs::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace alambic
