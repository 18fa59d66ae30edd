// The GGUF format, versions 2 and 3, little-endian: magic, counts, metadata, the tensors' names,
// shapes and positions, then their bytes, each aligned
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
#pragma once

#include <functional>
#include <limits>
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

/// A GGUF file, mapped into memory, with all others that the model is split into.
class GgufFile {
 public:
  /// `path` may be any part of a split model (split.h): the metadata are then those of the first,
  /// the tensors those of all. Input errors name a part that is missing or another model's, and a
  /// tensor that is in two.
  static GgufFile open(const fs::path& path);
  const GgufMetadata& metadata() const { return contents_.metadata; }
  const std::vector<TensorView>& tensors() const { return contents_.tensors; }
  /// MappedFile's.
  void release(std::span<const std::byte> part) const {
    for (const MappedFile& file : files_) file.release(part);
  }
  /// The same for all of it.
  void release() const {
    for (const MappedFile& file : files_) file.release(file.bytes());
  }

 private:
  GgufFile(std::vector<MappedFile> files, GgufContents contents)
      : files_(std::move(files)), contents_(std::move(contents)) {}
  static GgufFile open_parts(const std::vector<fs::path>& paths);
  std::vector<MappedFile> files_;
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

/// Where a model goes.
struct GgufPlace {
  fs::path path;
  /// Above it the tensors go into several files (split.h) that hold so many bytes of them each, or
  /// one tensor.
  uint64_t part_bytes = std::numeric_limits<uint64_t>::max();
  bool replace = true;  ///< or an input error names the file that is there
};

/// Writes version 3 with the tensors in the given order, each at a multiple of 32 bytes, as
/// gguf-py's GGUFWriter does. Goes to temporary files that are renamed when everything is on the
/// disk. Returns the files.
std::vector<fs::path> write_gguf(const GgufPlace& place, const GgufMetadata& metadata,
                                 const std::vector<GgufTensor>& tensors);

}  // namespace alambic
