// Parts of a matrix by its decompositions.
#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic {

/// The part of the `rank` largest singular values: U S Vᵀ cut after them, [rows, columns] of
/// float32, worked out in float64: in float32 it would turn with the library that decomposes where
/// singular values lie close together. `rank` is at most the matrix's smaller side.
Tensor largest_singular_part(const Tensor& matrix, int64_t rank);

/// Q R of a Householder QR, of which the first `rank` columns and rows are kept; as above.
Tensor first_columns_part(const Tensor& matrix, int64_t rank);

}  // namespace alambic
