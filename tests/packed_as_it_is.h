#pragma once

#include <memory>
#include <span>

#include "alambic/tensor/weight.h"

namespace alambic {

/// A dense float32 matrix as one that keeps its file's format, which is float32.
inline Weight packed_as_it_is(const Tensor& matrix) {
  const auto owner = std::make_shared<Tensor>(matrix);
  return Weight(PackedMatrix{.dtype = Dtype::F32,
                             .rows = matrix.size(0),
                             .columns = matrix.size(1),
                             .bytes = std::as_bytes(std::span(owner->const_data_ptr<float>(),
                                                              static_cast<size_t>(owner->numel()))),
                             .owner = owner});
}

}  // namespace alambic
