#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "alambic/io/tensor_view.h"

namespace alambic {

/// Receiver of a tensor's bytes, in order and in as many pieces as it takes.
using ByteSink = std::function<void(std::span<const std::byte>)>;

/// A tensor to be written to a file: its place there follows from dtype and shape, and its bytes
/// are asked for when their turn comes, so that not all tensors need be in memory.
struct TensorSource {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  std::function<void(const ByteSink&)> write;  ///< called once
};

/// Size in bytes. A bug of the caller's where the shape makes no whole blocks of the dtype.
uint64_t byte_size(const TensorSource& tensor);

/// Passes the tensor's bytes on, which must be byte_size() many.
void write_bytes(const TensorSource& tensor, const ByteSink& sink);

/// The tensor as it is: `view`'s memory must stay until it is written. Without scales of tiles,
/// which a file of plain tensors would lose.
TensorSource source_of(const TensorView& view);
std::vector<TensorSource> sources_of(const std::vector<TensorView>& views);

}  // namespace alambic
