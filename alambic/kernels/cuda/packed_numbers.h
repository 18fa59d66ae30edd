// A number of a packed row by its place: the formats of DevicePacked. Products are rounded one by
// one, as io/quant's: no fused multiply-add.
#pragma once

#include "alambic/kernels/cuda/numbers.h"

namespace alambic::kernels::device {

__device__ __forceinline__ float half_at(const uint8_t* bytes) {
  return half_to_float(static_cast<uint16_t>(bytes[0] | bytes[1] << 8));
}

/// E4M3: sign, four bits of exponent, three of fraction; 0x7f is NaN.
__device__ __forceinline__ float e4m3_to_float(uint8_t byte) {
  const uint32_t sign = static_cast<uint32_t>(byte & 0x80) << 24, size = byte & 0x7f;
  if (size == 0x7f) return __uint_as_float(sign | 0x7fc00000u);
  // Shifted to float's place the exponent is off by 120, subnormals included.
  return __uint_as_float(sign | size << 20) * 0x1p120f;
}

/// E2M1, doubled: the levels 0, ½, 1, 1½, 2, 3, 4, 6.
__device__ __forceinline__ float twice_e2m1(int bits) {
  const int size = bits & 7;
  const int twice = size < 4 ? size : size < 6 ? 2 * size - 4 : 4 * size - 16;
  return static_cast<float>((bits & 8) != 0 ? -twice : twice);
}

/// 2^(e − 128): with doubled levels all is exact.
__device__ __forceinline__ float half_of_power(uint32_t e) {
  return __uint_as_float(e < 2 ? 0x200000u << e : (e - 1) << 23);
}

template <DevicePacked format>
__device__ __forceinline__ float number_at(const DevicePackedRows& rows, int64_t r, uint32_t c);

template <>
__device__ __forceinline__ float number_at<DevicePacked::fp8_tiles>(const DevicePackedRows& rows,
                                                                    int64_t r, uint32_t c) {
  const auto tile = static_cast<uint32_t>(rows.tile);
  const int64_t across = (rows.C + tile - 1) / tile;
  const float scale = static_cast<const float*>(rows.scales)[r / tile * across + c / tile];
  return __fmul_rn(e4m3_to_float(rows.bytes[r * rows.row_bytes + c]), scale);
}

template <>
__device__ __forceinline__ float number_at<DevicePacked::q8_0>(const DevicePackedRows& rows,
                                                               int64_t r, uint32_t c) {
  const uint8_t* block = rows.bytes + r * rows.row_bytes + c / 32 * 34;
  return __fmul_rn(static_cast<float>(static_cast<int8_t>(block[2 + c % 32])), half_at(block));
}

// d, m, scales[12], q[128]. Runs of 64 share 32 bytes, two numbers in each.
template <>
__device__ __forceinline__ float number_at<DevicePacked::q4_k>(const DevicePackedRows& rows,
                                                               int64_t r, uint32_t c) {
  const uint8_t* block = rows.bytes + r * rows.row_bytes + c / 256 * 144;
  const int i = static_cast<int>(c % 256), s = i / 32;
  const uint8_t* packed = block + 4;
  const int scale = s < 4 ? packed[s] & 63 : (packed[s + 4] & 0xf) | packed[s - 4] >> 6 << 4;
  const int min = s < 4 ? packed[s + 4] & 63 : packed[s + 4] >> 4 | packed[s] >> 6 << 4;
  const int q = block[16 + s / 2 * 32 + i % 32] >> s % 2 * 4 & 0xf;
  const float scaled =
      __fmul_rn(__fmul_rn(half_at(block), static_cast<float>(scale)), static_cast<float>(q));
  return __fsub_rn(scaled, __fmul_rn(half_at(block + 2), static_cast<float>(min)));
}

// low[128], high[64], scale[16] signed, d. Runs of 128 share 64 low bytes and 32 high ones.
template <>
__device__ __forceinline__ float number_at<DevicePacked::q6_k>(const DevicePackedRows& rows,
                                                               int64_t r, uint32_t c) {
  const uint8_t* block = rows.bytes + r * rows.row_bytes + c / 256 * 210;
  const int i = static_cast<int>(c % 256), s = i / 16;
  const int low = block[s / 8 * 64 + s % 4 * 16 + i % 16] >> s % 8 / 4 * 4 & 0xf;
  const int high = block[128 + s / 8 * 32 + s % 2 * 16 + i % 16] >> s % 8 / 2 * 2 & 3;
  const float scale =
      __fmul_rn(half_at(block + 208), static_cast<float>(static_cast<int8_t>(block[192 + s])));
  return __fmul_rn(scale, static_cast<float>((low | high << 4) - 32));
}

// exponent, q[16]: the upper halves are the last 16 numbers.
template <>
__device__ __forceinline__ float number_at<DevicePacked::mxfp4>(const DevicePackedRows& rows,
                                                                int64_t r, uint32_t c) {
  const uint8_t* block = rows.bytes + r * rows.row_bytes + c / 32 * 17;
  const int i = static_cast<int>(c % 32);
  return twice_e2m1(block[1 + i % 16] >> i / 16 * 4 & 0xf) * half_of_power(block[0]);
}

template <>
__device__ __forceinline__ float number_at<DevicePacked::mxfp4_split>(const DevicePackedRows& rows,
                                                                      int64_t r, uint32_t c) {
  const uint8_t byte = rows.bytes[r * rows.row_bytes + c / 2];
  const uint8_t exponent = static_cast<const uint8_t*>(rows.scales)[r * (rows.C / 32) + c / 32];
  return twice_e2m1(byte >> c % 2 * 4 & 0xf) * half_of_power(exponent);
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
    case DevicePacked::q8_0:
      return f(PackedTag<DevicePacked::q8_0>{});
    case DevicePacked::q4_k:
      return f(PackedTag<DevicePacked::q4_k>{});
    case DevicePacked::q6_k:
      return f(PackedTag<DevicePacked::q6_k>{});
    case DevicePacked::mxfp4:
      return f(PackedTag<DevicePacked::mxfp4>{});
    case DevicePacked::mxfp4_split:
      return f(PackedTag<DevicePacked::mxfp4_split>{});
  }
}

}  // namespace alambic::kernels::device
