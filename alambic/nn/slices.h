#pragma once

#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Consecutive rows or columns of a matrix.
struct Slice {
  int64_t begin = 0, count = 0;
};
using Slices = std::vector<Slice>;

/// These slices along an axis one behind the other, in memory of their own.
inline Tensor copy_of(const Tensor& x, int64_t axis, const Slices& slices) {
  std::vector<Tensor> parts;
  for (const Slice& slice : slices)
    parts.push_back(x.detach().narrow(axis, slice.begin, slice.count));
  return at::cat(parts, axis);
}

/// The same where there may be none; undefined: none.
inline Tensor copy_if_defined(const Tensor& x, int64_t axis, const Slices& slices) {
  return x.defined() ? copy_of(x, axis, slices) : Tensor();
}

}  // namespace alambic
