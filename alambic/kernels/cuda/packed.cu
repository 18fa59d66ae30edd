// Packed weights: rows decoded, and products with few rows that decode on the way.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/packed_numbers.h"
#include "alambic/kernels/cuda/reduce.h"

namespace alambic::kernels::device {
namespace {

constexpr int threads = 256, warps = threads / 32;

// A row to a block.
template <class T, DevicePacked format>
__global__ void decode_rows(DeviceUnpack job) {
  const int64_t i = blockIdx.x;
  const int64_t r = job.rows.first + (job.ids != nullptr ? job.ids[i] : i);
  T* y = static_cast<T*>(job.y) + i * job.rows.C;
  const auto C = static_cast<uint32_t>(job.rows.C);
  for (uint32_t c = threadIdx.x; c < C; c += blockDim.x) {
    y[c] = narrow<T>(number_at<format>(job.rows, r, c));
  }
}

// Products of the weights' row r with rows begin … end of x, at most packed_few_rows, to a column
// of y: each number is decoded once for all of them.
template <class T, DevicePacked format>
__device__ void multiply_row(const DevicePackedFew& job, int64_t r, int64_t column, int64_t begin,
                             int64_t end) {
  const unsigned lane = threadIdx.x % simt::warp_size;
  const auto count = static_cast<int>(end - begin);
  const T* x = static_cast<const T*>(job.x) + begin * job.x_row;
  T* y = static_cast<T*>(job.y) + begin * job.y_row + column;
  float sums[packed_few_rows] = {};
  const auto C = static_cast<uint32_t>(job.rows.C);
  // Four neighbors to a lane: of one block, whose scale is decoded once.
  for (uint32_t first = 4 * lane; first < C; first += 4 * simt::warp_size) {
#pragma unroll
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t c = first + i;
      if (c >= C) break;
      const float weight = number_at<format>(job.rows, job.rows.first + r, c);
#pragma unroll
      for (int n = 0; n < packed_few_rows; ++n) {
        if (n < count) sums[n] += weight * widen(x[n * job.x_row + c]);
      }
    }
  }
#pragma unroll
  for (int n = 0; n < packed_few_rows; ++n) {
    if (n >= count) break;
    float sum = over_warp<Add>(sums[n]);
    if (job.bias != nullptr) sum += widen(static_cast<const T*>(job.bias)[r]);
    if (lane == 0) y[n * job.y_row] = narrow<T>(sum);
  }
}

// A row of the weights to a warp.
template <class T, DevicePacked format>
__global__ void few_rows(DevicePackedFew job) {
  const int64_t of_matrix = job.rows.R / job.matrices, m = blockIdx.y;
  const int64_t r = static_cast<int64_t>(blockIdx.x) * warps + threadIdx.x / simt::warp_size;
  if (r >= of_matrix) return;  // a whole warp
  const int64_t first = job.ends != nullptr && m > 0 ? job.ends[m - 1] : 0;
  const int64_t last = job.ends != nullptr ? job.ends[m] : job.N;
  for (int64_t begin = first; begin < last; begin += packed_few_rows) {
    const int64_t end = begin + packed_few_rows < last ? begin + packed_few_rows : last;
    multiply_row<T, format>(job, m * of_matrix + r, r, begin, end);
  }
}

}  // namespace

void unpack(const DeviceUnpack& job, void* stream) {
  with_type(job.type, [&](auto number) {
    with_format(job.rows.format, [&](auto tag) {
      simt::launch(decode_rows<decltype(number), decltype(tag)::format>,
                   static_cast<unsigned>(job.count), threads_for(job.rows.C, threads), 0, stream,
                   job);
    });
  });
}

void packed_few(const DevicePackedFew& job, void* stream) {
  with_type(job.type, [&](auto number) {
    with_format(job.rows.format, [&](auto tag) {
      const dim3 grid(blocks_for(job.rows.R / job.matrices, warps),
                      static_cast<unsigned>(job.matrices));
      simt::launch(few_rows<decltype(number), decltype(tag)::format>, grid, threads, 0, stream,
                   job);
    });
  });
}

}  // namespace alambic::kernels::device
