// Matrices of files as packed ones, and tensors that can be.
#pragma once

#include "alambic/io/tensor_view.h"
#include "alambic/tensor/packed_matrix.h"

namespace alambic {

/// Whether a matrix, or a stack of them, is computed with in its file's format where nobody writes
/// to it: blocks, FP8 and FP4 numbers with scales, and numbers of 16 bits in float32, which
/// products decode as exactly in half the memory.
bool stays_packed(const TensorView& view, at::ScalarType dtype);
/// Such a matrix. `owner` keeps the view's memory. FP4 numbers get as much memory of their own.
PackedMatrix to_packed(const TensorView& view, at::ScalarType dtype,
                       const std::shared_ptr<const void>& owner);

/// Whether a tensor can be one whose numbers are shared: bfloat16 on the CPU, row after row.
bool can_be_packed(const Tensor& matrix);
/// The tensor as numbers of `type`, as exact in any.
PackedMatrix packed_from(const Tensor& matrix, at::ScalarType type);

}  // namespace alambic
