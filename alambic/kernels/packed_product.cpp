#include "alambic/kernels/packed_product.h"

#include <algorithm>

#include "alambic/io/quant/decode.h"
#include "alambic/kernels/cpu.h"
#include "alambic/kernels/launch.h"

namespace alambic::kernels {

namespace {

PackedFormat format_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::BF16:
      return PackedFormat::bf16;
    case Dtype::F16:
      return PackedFormat::f16;
    case Dtype::Q4_0:
      return PackedFormat::q4_0;
    case Dtype::Q4_1:
      return PackedFormat::q4_1;
    case Dtype::Q5_0:
      return PackedFormat::q5_0;
    case Dtype::Q5_1:
      return PackedFormat::q5_1;
    case Dtype::Q8_0:
      return PackedFormat::q8_0;
    case Dtype::Q2_K:
      return PackedFormat::q2_k;
    case Dtype::Q3_K:
      return PackedFormat::q3_k;
    case Dtype::Q4_K:
      return PackedFormat::q4_k;
    case Dtype::Q5_K:
      return PackedFormat::q5_k;
    case Dtype::Q6_K:
      return PackedFormat::q6_k;
    case Dtype::IQ4_NL:
      return PackedFormat::iq4_nl;
    case Dtype::MXFP4:
      return PackedFormat::mxfp4;
    default:
      return PackedFormat::other;
  }
}

PackedRows rows_of(Dtype dtype, const void* bytes, int64_t row_bytes, int64_t rows,
                   int64_t columns) {
  const auto block = static_cast<int64_t>(block_numel(dtype));
  check(block <= packed_slab && packed_slab % block == 0, "blocks of {} numbers", block);
  return {.bytes = static_cast<const uint8_t*>(bytes),
          .row_bytes = row_bytes,
          .rows = rows,
          .columns = columns,
          .format = format_of(dtype),
          .block = block,
          .block_bytes = static_cast<int64_t>(block_bits(dtype) / 8),
          .dtype = dtype};
}

PackedArgs args_of(const Tensor& a_MK, const PackedRows& b, const Tensor& c_ME) {
  return {.a = a_MK.const_data_ptr<float>(),
          .a_row = a_MK.stride(0),
          .b = b.bytes,
          .b_row = b.row_bytes,
          .format = b.format,
          .block = b.block,
          .block_bytes = b.block_bytes,
          .decode = decode_blocks,
          .dtype = static_cast<int>(b.dtype),
          .tiles = b.tiles,
          .c = c_ME.mutable_data_ptr<float>(),
          .c_row = c_ME.stride(0),
          .M = a_MK.size(0),
          .K = a_MK.size(1),
          .E = c_ME.size(1),
          .accumulate = false};
}

/// Nanoseconds of a core for so many products of two numbers, the second of which is decoded once
/// for all rows.
double duration(double numbers, int64_t rows) {
  return numbers * (0.05 + 0.025 * static_cast<double>(rows));
}

}  // namespace

void decode_blocks(int dtype, const uint8_t* blocks, int64_t count, float* numbers) {
  const auto format = static_cast<Dtype>(dtype);
  const auto numbers_count = static_cast<size_t>(count);
  decode(format,
         {reinterpret_cast<const std::byte*>(blocks),
          numbers_count / block_numel(format) * block_bits(format) / 8},
         {numbers, numbers_count});
}

PackedRows packed_rows(const PackedMatrix& matrix) {
  const auto rows = std::max<int64_t>(1, matrix.rows);
  PackedRows packed = rows_of(matrix.dtype, matrix.bytes.data(), std::ssize(matrix.bytes) / rows,
                              matrix.rows, matrix.columns);
  if (matrix.tiles) {
    packed.tiles = {.scales = matrix.tiles->scales.data(),
                    .rows = matrix.tiles->rows,
                    .columns = matrix.tiles->columns,
                    .across = matrix.tiles->across,
                    .first_row = matrix.first_row};
  }
  return packed;
}

PackedRows packed_rows(const Tensor& matrix) {
  check(matrix.is_cpu() && matrix.scalar_type() == at::kBFloat16 && matrix.stride(1) == 1,
        "rows of bfloat16 are to lie dense on the CPU");
  return rows_of(Dtype::BF16, matrix.const_data_ptr(), matrix.stride(0) * 2, matrix.size(0),
                 matrix.size(1));
}

bool takes_packed_kernel(int64_t rows) { return rows <= 16 || cpu().lanes >= 8; }

namespace {

// Splits the rows of c, or its columns, between threads in steps of `step`; kernel(part, the first
// column of it).
template <class Kernel>
void for_parts(const PackedArgs& all, int64_t step, bool by_rows, const Kernel& kernel) {
  const int64_t parts = ((by_rows ? all.M : all.E) + step - 1) / step;
  const double item = by_rows ? duration(static_cast<double>(all.E * all.K), step)
                              : duration(static_cast<double>(step * all.K), all.M);
  parallel(parts, item, [&](int64_t begin, int64_t end) {
    PackedArgs part = all;
    const int64_t first = begin * step;
    if (by_rows) {
      part.M = std::min(end * step, all.M) - first;
      part.a += first * part.a_row;
      part.c += first * part.c_row;
    } else {
      part.E = std::min(end * step, all.E) - first;
      part.c += first;
    }
    kernel(part, by_rows ? 0 : first);
  });
}

}  // namespace

void packed_product(const Tensor& y_NE, const Tensor& x_ND, const PackedRows& weight_ED,
                    bool accumulate) {
  PackedArgs all = args_of(x_ND, weight_ED, y_NE);
  check(all.K == weight_ED.columns && all.E == weight_ED.rows && all.M == y_NE.size(0),
        "packed_product: [{}, {}] by [{}, {}]", all.M, all.K, weight_ED.rows, weight_ED.columns);
  all.accumulate = accumulate;
  const bool many = all.M >= many_rows();
  auto* kernel = many ? cpu().packed_many : cpu().packed_few;
  // Few rows are done soon: small steps share them evenly. One step of floats is a cache line.
  const int64_t step = many ? 64 : 16;
  const bool by_rows = all.M >= 4 * step && all.M > all.E;
  for_parts(all, step, by_rows, [&](PackedArgs part, int64_t column) {
    part.b += column * part.b_row;
    part.tiles.first_row += column;
    kernel(part);
  });
}

void packed_input_grad(const Tensor& dx_ND, const Tensor& dy_NE, const PackedRows& weight_ED) {
  const PackedArgs all = args_of(dy_NE, weight_ED, dx_ND);
  check(all.K == weight_ED.rows && all.E == weight_ED.columns && all.M == dx_ND.size(0),
        "packed_input_grad: [{}, {}] by [{}, {}]", all.M, all.K, weight_ED.rows, weight_ED.columns);
  const bool by_rows = all.M >= 256 && all.M > all.E;
  const int64_t step = by_rows ? 64 : std::max<int64_t>(64, weight_ED.block);
  for_parts(all, step, by_rows,
            [&](const PackedArgs& part, int64_t column) { cpu().packed_input_grad(part, column); });
}

}  // namespace alambic::kernels
