// Packed weights that stay packed on an accelerator which has kernels (kernels/device.h).
#pragma once

#include <optional>

#include "alambic/io/dtype.h"
#include "alambic/kernels/device.h"

namespace alambic::kernels::on_device {

/// Matrix [R, C] in its file's format, on the device.
struct PackedRowsOnDevice {
  Tensor bytes;   ///< uint8 [R, bytes of a row]
  Tensor scales;  ///< of FP8 tiles float32, of gpt-oss's MXFP4 uint8, row by row; else undefined
  DevicePacked format = DevicePacked::q8_0;
  int64_t columns = 0;
  int64_t tile = 0;  ///< edge of FP8's tiles

  int64_t rows() const { return bytes.size(0); }
};

/// The format of a GGUF file's blocks; none: the device does not decode it.
std::optional<DevicePacked> device_format(Dtype dtype);

/// Rows begin … begin + count as `type` (float32 or bfloat16), [count, C]: the file's numbers, bit
/// for bit in float32.
Tensor decoded(const PackedRowsOnDevice& matrix, int64_t begin, int64_t count, at::ScalarType type);
/// The rows that `ids_N` (int64) names, [N, C].
Tensor decoded(const PackedRowsOnDevice& matrix, const Tensor& ids_N, at::ScalarType type);

/// x_NC · matrixᵀ (+ bias_R), without gradients. Few rows of x by a kernel that decodes on the way;
/// many by the device's product with some rows of the matrix at a time.
Tensor product(const Tensor& x_NC, const PackedRowsOnDevice& matrix, const Tensor& bias_R);

}  // namespace alambic::kernels::on_device
