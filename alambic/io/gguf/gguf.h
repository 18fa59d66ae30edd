// The GGUF format, versions 2 and 3, little-endian: magic, counts, metadata, the tensors' names,
// shapes and positions, then their bytes, each aligned
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
#pragma once

#include <functional>
#include <map>
#include <span>
#include <unordered_map>

#include "alambic/io/gguf/value.h"
#include "alambic/io/mapped_file.h"
#include "alambic/io/tensor_view.h"

namespace alambic {

struct GgufContents {
  GgufMetadata metadata;
  std::vector<TensorView> tensors;  ///< in the order of the file's list; shapes row-major
};

/// Reads the header and points the tensors into `file`. Refuses other versions and byte orders,
/// counts and lengths beyond the file, keys or tensor names that stand twice, unknown types, over
/// four dimensions, rows that end within a block, an alignment that is no power of two, and tensors
/// that overlap, are not aligned or lie beyond the file. Nothing is allocated beyond what the
/// header's own bytes justify. `name` is what errors call the file.
GgufContents parse_gguf(std::span<const std::byte> file, const std::string& name);

/// A GGUF file, mapped into memory.
class GgufFile {
 public:
  static GgufFile open(const fs::path& path);
  const GgufMetadata& metadata() const { return contents_.metadata; }
  const std::vector<TensorView>& tensors() const { return contents_.tensors; }
  /// MappedFile's.
  void release(std::span<const std::byte> part) const { file_.release(part); }

 private:
  GgufFile(MappedFile file, GgufContents contents)
      : file_(std::move(file)), contents_(std::move(contents)) {}
  MappedFile file_;
  GgufContents contents_;
};

/// True for a regular file that begins with the format's magic.
bool is_gguf(const fs::path& path);

/// A tensor to be written: `bytes` is called once, when its turn comes, so that not all of them
/// need be in memory.
struct GgufTensor {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  std::function<std::vector<std::byte>()> bytes;
};

/// Writes version 3 with the tensors in the given order, each at a multiple of 32 bytes, as
/// gguf-py's GGUFWriter does. Goes to a temporary file that is renamed when everything is on the
/// disk.
void write_gguf(const fs::path& path, const GgufMetadata& metadata,
                const std::vector<GgufTensor>& tensors);

}  // namespace alambic
