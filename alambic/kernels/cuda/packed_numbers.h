// A number of a packed row by its place: the formats of DevicePacked.
#pragma once

#include "alambic/kernels/cuda/packed_blocks.h"

namespace alambic::kernels::device {

/// E4M3: sign, four bits of exponent, three of fraction; 0x7f is NaN.
__device__ __forceinline__ float e4m3_to_float(uint8_t byte) {
  const uint32_t sign = static_cast<uint32_t>(byte & 0x80) << 24, size = byte & 0x7f;
  if (size == 0x7f) return __uint_as_float(sign | 0x7fc00000u);
  // Shifted to float's place the exponent is off by 120, subnormals included.
  return __uint_as_float(sign | size << 20) * 0x1p120f;
}

/// The matrix's row r and column c.
template <DevicePacked format>
__device__ __forceinline__ float number_at(const DevicePackedRows& rows, int64_t r, uint32_t c) {
  using Of = Block<format>;
  const uint8_t* block = rows.bytes + r * rows.row_bytes + c / Of::numbers * Of::bytes;
  return Of::number(block, static_cast<int>(c % Of::numbers));
}

template <>
__device__ __forceinline__ float number_at<DevicePacked::fp8_tiles>(const DevicePackedRows& rows,
                                                                    int64_t r, uint32_t c) {
  const int64_t across = (rows.C + rows.tile_columns - 1) / rows.tile_columns;
  const uint32_t tile = c / static_cast<uint32_t>(rows.tile_columns);
  const float scale = rows.scales[r / rows.tile_rows * across + tile];
  return __fmul_rn(e4m3_to_float(rows.bytes[r * rows.row_bytes + c]), scale);
}

template <DevicePacked value>
struct PackedTag {
  static constexpr DevicePacked format = value;
};

/// f(PackedTag<format>{}).
template <class F>
void with_format(DevicePacked format, const F& f) {
  switch (format) {
    case DevicePacked::fp8_tiles:
      return f(PackedTag<DevicePacked::fp8_tiles>{});
    case DevicePacked::q4_0:
      return f(PackedTag<DevicePacked::q4_0>{});
    case DevicePacked::q4_1:
      return f(PackedTag<DevicePacked::q4_1>{});
    case DevicePacked::q5_0:
      return f(PackedTag<DevicePacked::q5_0>{});
    case DevicePacked::q5_1:
      return f(PackedTag<DevicePacked::q5_1>{});
    case DevicePacked::q8_0:
      return f(PackedTag<DevicePacked::q8_0>{});
    case DevicePacked::q2_k:
      return f(PackedTag<DevicePacked::q2_k>{});
    case DevicePacked::q3_k:
      return f(PackedTag<DevicePacked::q3_k>{});
    case DevicePacked::q4_k:
      return f(PackedTag<DevicePacked::q4_k>{});
    case DevicePacked::q5_k:
      return f(PackedTag<DevicePacked::q5_k>{});
    case DevicePacked::q6_k:
      return f(PackedTag<DevicePacked::q6_k>{});
    case DevicePacked::iq4_nl:
      return f(PackedTag<DevicePacked::iq4_nl>{});
    case DevicePacked::mxfp4:
      return f(PackedTag<DevicePacked::mxfp4>{});
  }
}

}  // namespace alambic::kernels::device
