#pragma once

#include <string>
#include <vector>

#include "alambic/io/dtype.h"
#include "alambic/io/tensor_bytes.h"

namespace alambic {

/// Scales of numbers that are stored divided by them (tile_scales.h): one for each tile of `rows` ×
/// `columns` numbers of a matrix, the tiles at the lower and right edge being what is left. Those
/// of F8_E4M3 are float32 or exponents (F8_E8M0), by the number of bytes; those of F4 are
/// exponents, and several F4 matrices in a tensor lie column by column (mxfp4.h).
struct TileScales {
  TensorBytes bytes;  ///< row-major; empty: the numbers are as stored
  int64_t rows = 1, columns = 1;
};

/// A named tensor in memory that another object owns, or made of such memory when its bytes are
/// asked for: row-major, little-endian.
struct TensorView {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  TensorBytes bytes;
  TileScales tiles = {};
};

/// Count of the numbers that a shape holds.
int64_t count_of(const std::vector<int64_t>& shape);

/// "[2, 3]"
std::string shape_text(const std::vector<int64_t>& shape);

/// Null when there is none.
const TensorView* tensor_named(const std::vector<TensorView>& tensors, std::string_view name);

}  // namespace alambic
