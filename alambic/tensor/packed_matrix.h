#pragma once

#include <memory>
#include <span>
#include <vector>

#include "alambic/io/dtype.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// Scales of tiles of `rows` × `columns` numbers of F8_E4M3, those of a row of tiles after another.
struct Tiles {
  std::vector<float> scales;
  int64_t rows = 1, columns = 1;
  int64_t across = 1;  ///< tiles side by side
};

/// Order in a tensor of a stack's matrices, whose packed rows always are outputs.
enum class StackOrder {
  output_major,  ///< [matrices, rows, columns], as packed
  input_major    ///< [matrices, columns, rows] (gpt-oss)
};

struct PackedMatrix;

/// Packed rows in an accelerator's memory, and what decodes them there: made by
/// kernels/device_packed.h.
struct PackedOnDevice {
  Tensor bytes_RB;  ///< uint8, row by row: all of the whole matrix, of which a part is meant
  Tensor scales_T;  ///< float32, of its tiles; else undefined
  /// PackedMatrix::decoded of all rows, or of those that `rows_N` names where that is defined.
  Tensor (*decode)(const PackedMatrix& matrix, const Tensor& rows_N) = nullptr;
  int64_t decoded_bytes = 0;  ///< of rows that are decoded for one product at a time
  bool fp8_products = false;  ///< asked for: kernels/device_fp8.h
};

/// Matrix that keeps the format of its file: blocks, numbers of 16 bits, or of 8 with scales. The
/// packed form of a Weight (tensor/weight.h). It cannot be trained. Several matrices of one size, a
/// layer's experts, may lie in it one after another.
struct PackedMatrix {
  Dtype dtype = Dtype::Q8_0;
  int64_t rows = 0, columns = 0;      ///< `rows` of all its matrices
  std::span<const std::byte> bytes;   ///< row by row; whole blocks. Empty on an accelerator
  std::shared_ptr<const void> owner;  ///< owner of the bytes
  at::ScalarType type = at::kFloat;   ///< type of the decoded numbers
  std::shared_ptr<const Tiles> tiles = nullptr;
  int64_t first_row = 0;  ///< row of the whole matrix that is the first here: `tiles` and
                          ///< `on_device` are of the whole
  int64_t matrices = 0;   ///< of a stack; 0: it is one matrix
  StackOrder order = StackOrder::output_major;
  std::shared_ptr<const PackedOnDevice> on_device = nullptr;  ///< null: it is on the CPU

  at::Device device() const;
  /// Rows begin … begin + count, [count, columns] of `type`: bit-equal to the decoded matrix's.
  Tensor decoded(int64_t begin, int64_t count) const;
  /// The rows that `rows_N` (int64) names, [N, columns].
  Tensor decoded(const Tensor& rows_N) const;
  /// One matrix of the rows begin … begin + count; shares the bytes.
  PackedMatrix part(int64_t begin, int64_t count) const;
};

}  // namespace alambic
