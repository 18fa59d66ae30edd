// The safetensors format: 8 bytes with the header's length, a JSON header, then the tensors' bytes
// (https://huggingface.co/docs/safetensors).
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "alambic/io/mapped_file.h"
#include "alambic/io/tensor_source.h"

namespace alambic {

struct SafetensorsHeader {
  std::vector<TensorView> tensors;  ///< in the order of their bytes
  std::map<std::string, std::string> metadata;
};

/// Reads the header and points the tensors into `file`. Refuses whatever the format forbids:
/// a header beyond the file or over 100 MB, duplicate names, unknown fields and dtypes, sizes that
/// overflow or do not fit the bytes, overlaps, holes and trailing bytes; and over 64 dimensions.
/// Nothing is allocated beyond what the header's own bytes justify. `name` is what errors call the
/// file.
SafetensorsHeader parse_safetensors(std::span<const std::byte> file, const std::string& name);

/// A safetensors file, mapped into memory.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const fs::path& path, Pages pages = Pages::read_only);
  const std::vector<TensorView>& tensors() const { return header_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  /// Null when there is no such tensor.
  const TensorView* find(std::string_view name) const;
  /// MappedFile's.
  void release(std::span<const std::byte> part) const { file_.release(part); }

 private:
  SafetensorsFile(MappedFile file, SafetensorsHeader header);
  MappedFile file_;
  SafetensorsHeader header_;
  std::unordered_map<std::string_view, const TensorView*> by_name_;  // into header_
};

/// Writes the bytes that the Python library's save_file would: tensors by falling alignment, then
/// name; the header padded with spaces to 8 bytes. Goes to a temporary file that is renamed when
/// everything is on the disk, so a tensor may be made of the file that is being replaced.
void write_safetensors(const fs::path& path, std::vector<TensorSource> tensors,
                       const std::map<std::string, std::string>& metadata);
/// The same of tensors as they are in memory.
void write_safetensors(const fs::path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace alambic
