#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "alambic/base/files.h"
#include "alambic/text/data/file_kind.h"

namespace alambic {

/// Text of a data file, mapped from the disk. What has to be unpacked first (gzip, zstd, Parquet,
/// Arrow) and standard input ("-") go through a nameless file in $TMPDIR, so that memory holds none
/// of them whole.
class DataFile {
 public:
  /// Input errors name the file: not there, not a regular file, another format by its first bytes,
  /// packed data that is broken or cut short. Environment errors: a full disk, no libraries for
  /// Parquet.
  static DataFile open(const fs::path& path);
  ~DataFile();
  DataFile(DataFile&&) noexcept;
  DataFile& operator=(DataFile&&) noexcept;

  /// The bytes without a byte order mark; valid as long as the file is.
  std::string_view text() const;
  /// What errors call it.
  const std::string& name() const;
  /// One text without rows: a .txt file, packed or not, and standard input that does not begin with
  /// a list or an object.
  bool is_plain_text() const;

  /// An input error where the file has been written to since it was opened: its rows are elsewhere
  /// then, or gone.
  void check_unchanged() const;

  /// To be called with the bytes that were just read of text(): the memory of a mapping's pages is
  /// given back now and then, and they are read again when they are touched.
  void was_read(size_t bytes) const;

 private:
  struct State;
  explicit DataFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace alambic
