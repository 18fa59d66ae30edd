#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "alambic/io/dtype.h"

namespace alambic {

/// A named tensor in somebody else's memory: row-major, little-endian.
struct TensorView {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/// How many numbers a shape holds.
int64_t count_of(const std::vector<int64_t>& shape);

}  // namespace alambic
