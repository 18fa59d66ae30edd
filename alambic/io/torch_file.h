// PyTorch's own files (pytorch_model.bin): a zip archive with a pickle that describes the tensors,
// PREFIX/data.pkl, and an entry for the bytes of each storage, PREFIX/data/KEY.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "alambic/io/mapped_file.h"
#include "alambic/io/tensor_view.h"

namespace alambic {

struct TorchContents {
  std::vector<TensorView> tensors;  ///< in the state dict's order
  /// The bytes of the tensors that do not lie in their storage row by row.
  std::vector<std::vector<std::byte>> owned;
};

/// Reads a state dict as torch.save writes it since version 1.6; the tensors point into `file`,
/// which several may share. Nothing of it is run. Refused, naming the tensor, the entry, or the
/// pickle's byte: anything but a dict of tensors, other globals and opcodes (pickle.h), storages
/// that are not as long as they say, tensors that reach beyond their storage, and copies (of
/// tensors in another order than their storage) of more bytes than the file has. `name` is what
/// errors call the file.
TorchContents parse_torch(std::span<const std::byte> file, const std::string& name);

/// A file of torch.save, mapped into memory.
class TorchFile {
 public:
  static TorchFile open(const fs::path& path);
  const std::vector<TensorView>& tensors() const { return contents_.tensors; }
  /// MappedFile's.
  void release(std::span<const std::byte> part) const { file_.release(part); }

 private:
  TorchFile(MappedFile file, TorchContents contents)
      : file_(std::move(file)), contents_(std::move(contents)) {}
  MappedFile file_;
  TorchContents contents_;
};

}  // namespace alambic
