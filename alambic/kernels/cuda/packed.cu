// Packed weights: rows decoded, and products with few rows that decode on the way.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/packed_numbers.h"
#include "alambic/kernels/cuda/reduce.h"

namespace alambic::kernels::device {
namespace {

constexpr int threads = 256, warps = threads / 32;

template <class T, DevicePacked format>
__global__ void decode_rows(DeviceUnpack job) {
  const int64_t i = global_thread(), C = job.rows.C;
  if (i >= job.count * C) return;
  const int64_t r = job.ids != nullptr ? job.ids[i / C] : job.first + i / C;
  static_cast<T*>(job.y)[i] =
      narrow<T>(number_at<format>(job.rows, r, static_cast<uint32_t>(i % C)));
}

// A row of the weights to a warp; each number is decoded once for all rows of x.
template <class T, DevicePacked format>
__global__ void few_rows(DevicePackedFew job) {
  const unsigned lane = threadIdx.x % simt::warp_size;
  const int64_t r = static_cast<int64_t>(blockIdx.x) * warps + threadIdx.x / simt::warp_size;
  if (r >= job.rows.R) return;  // a whole warp
  const T* x = static_cast<const T*>(job.x);
  float sums[packed_few_rows] = {};
  const auto C = static_cast<uint32_t>(job.rows.C);
  // Four neighbors to a lane: of one block, whose scale is decoded once.
  for (uint32_t first = 4 * lane; first < C; first += 4 * simt::warp_size) {
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t c = first + i;
      if (c >= C) break;
      const float weight = number_at<format>(job.rows, r, c);
#pragma unroll
      for (int n = 0; n < packed_few_rows; ++n) {
        if (n < job.N) sums[n] += weight * widen(x[n * job.x_row + c]);
      }
    }
  }
#pragma unroll
  for (int n = 0; n < packed_few_rows; ++n) {
    if (n >= job.N) break;
    float sum = over_warp<Add>(sums[n]);
    if (job.bias != nullptr) sum += widen(static_cast<const T*>(job.bias)[r]);
    if (lane == 0) static_cast<T*>(job.y)[n * job.y_row + r] = narrow<T>(sum);
  }
}

}  // namespace

void unpack(const DeviceUnpack& job, void* stream) {
  with_type(job.type, [&](auto number) {
    with_format(job.rows.format, [&](auto tag) {
      simt::launch(decode_rows<decltype(number), decltype(tag)::format>,
                   blocks_for(job.count * job.rows.C, threads), threads, 0, stream, job);
    });
  });
}

void packed_few(const DevicePackedFew& job, void* stream) {
  with_type(job.type, [&](auto number) {
    with_format(job.rows.format, [&](auto tag) {
      simt::launch(few_rows<decltype(number), decltype(tag)::format>, blocks_for(job.rows.R, warps),
                   threads, 0, stream, job);
    });
  });
}

}  // namespace alambic::kernels::device
