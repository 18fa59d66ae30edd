// Products with rows in a packed format, by the kernels of cpu_table.h: float32 sums of numbers
// that are decoded on the way.
#pragma once

#include "alambic/kernels/cpu_table.h"
#include "alambic/tensor/packed_matrix.h"

namespace alambic::kernels {

/// Rows [rows, columns] as kernels read them; who makes it keeps the bytes.
struct PackedRows {
  const uint8_t* bytes = nullptr;
  int64_t row_bytes = 0, rows = 0, columns = 0;
  PackedFormat format = PackedFormat::other;
  int64_t block = 1, block_bytes = 1;  ///< numbers and bytes
  Dtype dtype = Dtype::F32;
  TileArgs tiles = {};
};

PackedRows packed_rows(const PackedMatrix& matrix);
/// The rows of a bfloat16 matrix on the CPU whose columns lie dense.
PackedRows packed_rows(const Tensor& matrix);

/// PackedArgs::decode: io/quant's for the Dtype of that number.
void decode_blocks(int dtype, const uint8_t* blocks, int64_t count, float* numbers);

/// Whether dense products of so many rows have kernels of ours, whose sums these share. SSE2 has no
/// fused multiply-add and leaves many rows to MKL.
bool takes_packed_kernel(int64_t rows);

/// y_NE (+)= x_ND · weight_EDᵀ. float32 on the CPU, columns of x and y dense.
void packed_product(const Tensor& y_NE, const Tensor& x_ND, const PackedRows& weight_ED,
                    bool accumulate);

/// dx_ND = dy_NE · weight_ED. float32 on the CPU, columns of dx and dy dense.
void packed_input_grad(const Tensor& dx_ND, const Tensor& dy_NE, const PackedRows& weight_ED);

}  // namespace alambic::kernels
