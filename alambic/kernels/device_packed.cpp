#include "alambic/kernels/device_packed.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/kernels/launch.h"

namespace alambic::kernels::on_device {
namespace {

/// Bytes of decoded rows that exist at a time.
constexpr int64_t slab_bytes = int64_t{64} << 20;

DevicePackedRows rows_of(const DeviceCall& call, const PackedRowsOnDevice& matrix) {
  return {.bytes = call.at<uint8_t>(matrix.bytes),
          .row_bytes = matrix.bytes.stride(0),
          .scales = call.at(matrix.scales),
          .tile = matrix.tile,
          .format = matrix.format,
          .R = matrix.rows(),
          .C = matrix.columns};
}

Tensor unpacked(const PackedRowsOnDevice& matrix, int64_t begin, int64_t count, const Tensor& ids,
                at::ScalarType type) {
  check(type == at::kFloat || type == at::kBFloat16, "packed rows as a dtype without kernels");
  const DeviceCall call = call_for(matrix.bytes);
  const Tensor y = at::empty({count, matrix.columns}, matrix.bytes.options().dtype(type));
  call.run(call.table().unpack, {.rows = rows_of(call, matrix),
                                 .first = begin,
                                 .count = count,
                                 .ids = call.at<int64_t>(ids),
                                 .y = call.at(y),
                                 .type = device_number(y)});
  return y;
}

}  // namespace

std::optional<DevicePacked> device_format(Dtype dtype) {
  switch (dtype) {
    case Dtype::Q8_0:
      return DevicePacked::q8_0;
    case Dtype::Q4_K:
      return DevicePacked::q4_k;
    case Dtype::Q6_K:
      return DevicePacked::q6_k;
    case Dtype::MXFP4:
      return DevicePacked::mxfp4;
    default:
      return {};
  }
}

Tensor decoded(const PackedRowsOnDevice& matrix, int64_t begin, int64_t count,
               at::ScalarType type) {
  check(begin >= 0 && count >= 0 && begin + count <= matrix.rows(), "rows {} to {} of {}", begin,
        begin + count, matrix.rows());
  return unpacked(matrix, begin, count, {}, type);
}

Tensor decoded(const PackedRowsOnDevice& matrix, const Tensor& ids_N, at::ScalarType type) {
  const Tensor ids = ids_N.contiguous();
  return unpacked(matrix, 0, ids.numel(), ids, type);
}

Tensor product(const Tensor& x_NC, const PackedRowsOnDevice& matrix, const Tensor& bias_R) {
  check(x_NC.dim() == 2 && x_NC.size(1) == matrix.columns, "rows of {} for a matrix of {} columns",
        x_NC.size(1), matrix.columns);
  const at::NoGradGuard no_gradient;
  const Tensor x = dense_rows(x_NC);
  const int64_t N = x.size(0), R = matrix.rows();
  const Tensor y = at::empty({N, R}, x.options());
  if (N > packed_few_rows) {
    const int64_t slab = std::max<int64_t>(1, slab_bytes / (matrix.columns * x.element_size()));
    for (int64_t r = 0; r < R; r += slab) {
      const int64_t count = std::min(slab, R - r);
      const Tensor weight = decoded(matrix, r, count, x.scalar_type());
      y.narrow(1, r, count).copy_(at::mm(x, weight.t()));
    }
    return bias_R.defined() ? y + bias_R : y;
  }
  const DeviceCall call = call_for(x);
  const Tensor bias = bias_R.defined() ? bias_R.to(x.scalar_type()).contiguous() : Tensor();
  call.run(call.table().packed_few, {.rows = rows_of(call, matrix),
                                     .x = call.at(x),
                                     .x_row = x.stride(0),
                                     .bias = call.at(bias),
                                     .y = call.at(y),
                                     .y_row = R,
                                     .N = N,
                                     .type = device_number(x)});
  return y;
}

}  // namespace alambic::kernels::on_device
