#include "alambic/tensor/packed_matrix.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/tile_scales.h"

namespace alambic {

namespace {

// Threads pay from so many numbers on: a number takes about a nanosecond.
constexpr int64_t numbers_per_thread = 1 << 15;

void decode_row(const PackedMatrix& matrix, int64_t row, std::span<const std::byte> bytes,
                float* numbers) {
  if (matrix.tiles) {
    const Tiles& tiles = *matrix.tiles;
    const int64_t tile = (matrix.first_row + row) / tiles.rows * tiles.across;
    decode_fp8_row(bytes, tiles.scales.data() + tile, tiles.columns, numbers);
  } else {
    decode(matrix.dtype, bytes, {numbers, static_cast<size_t>(matrix.columns)});
  }
}

// Decodes into row i of the result the row that `row_of(i)` says.
template <class RowOf>
Tensor decode_rows(const PackedMatrix& matrix, int64_t count, const RowOf& row_of) {
  const Tensor numbers = at::empty({count, matrix.columns}, at::kFloat);
  float* out = numbers.mutable_data_ptr<float>();
  const size_t row_bytes =
      matrix.rows == 0 ? 0 : matrix.bytes.size() / static_cast<size_t>(matrix.rows);
  const int64_t grain =
      std::max<int64_t>(1, numbers_per_thread / std::max<int64_t>(1, matrix.columns));
  at::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      decode_row(matrix, row_of(i),
                 matrix.bytes.subspan(static_cast<size_t>(row_of(i)) * row_bytes, row_bytes),
                 out + i * matrix.columns);
    }
  });
  return numbers.to(matrix.type);
}

}  // namespace

at::Device PackedMatrix::device() const {
  return on_device ? on_device->bytes_RB.device() : at::Device(at::kCPU);
}

Tensor PackedMatrix::decoded(int64_t begin, int64_t count) const {
  if (on_device) return on_device->decode(part(begin, count), Tensor());
  check(begin >= 0 && count >= 0 && begin + count <= rows, "rows {} to {} of {}", begin,
        begin + count, rows);
  return decode_rows(*this, count, [=](int64_t i) { return begin + i; });
}

Tensor PackedMatrix::decoded(const Tensor& rows_N) const {
  if (on_device) return on_device->decode(*this, rows_N);  // unchecked: nothing waits for it
  const Tensor indices = rows_N.contiguous();
  const int64_t* row = indices.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < indices.numel(); ++i) {
    check(row[i] >= 0 && row[i] < rows, "row {} of {}", row[i], rows);
  }
  return decode_rows(*this, indices.numel(), [=](int64_t i) { return row[i]; });
}

PackedMatrix PackedMatrix::part(int64_t begin, int64_t count) const {
  check(begin >= 0 && count >= 0 && begin + count <= rows, "rows {} to {} of {}", begin,
        begin + count, rows);
  PackedMatrix part = *this;
  if (!on_device) {
    const size_t row = rows == 0 ? 0 : bytes.size() / static_cast<size_t>(rows);
    part.bytes = bytes.subspan(row * static_cast<size_t>(begin), row * static_cast<size_t>(count));
  }
  part.rows = count;
  part.first_row += begin;
  part.matrices = 0;
  return part;
}

}  // namespace alambic
