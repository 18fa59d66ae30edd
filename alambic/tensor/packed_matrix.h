#pragma once

#include <memory>
#include <span>

#include "alambic/io/dtype.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// Matrix on the CPU that keeps the block format of its GGUF file: the packed form of a Weight
/// (tensor/weight.h). It cannot be trained.
struct PackedMatrix {
  Dtype dtype = Dtype::Q8_0;
  int64_t rows = 0, columns = 0;
  std::span<const std::byte> bytes;   ///< row by row; whole blocks
  std::shared_ptr<const void> owner;  ///< owner of the bytes
  at::ScalarType type = at::kFloat;   ///< type of the decoded numbers

  /// Rows begin … begin + count, [count, columns] of `type`: bit-equal to the decoded matrix's.
  Tensor decoded(int64_t begin, int64_t count) const;
  /// The rows that `rows_N` (int64) names, [N, columns].
  Tensor decoded(const Tensor& rows_N) const;
  /// Matrix of the first `count` rows.
  PackedMatrix first(int64_t count) const;
};

}  // namespace alambic
