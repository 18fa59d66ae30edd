// Attention of one query per sequence over its cached keys and values, split over parts of the
// cache (flash-decoding: Dao et al., 2023) that are the same whatever else is in the batch.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/numbers.h"
#include "alambic/kernels/cuda/reduce.h"

namespace alambic::kernels::device {
namespace {

constexpr int threads = 128, warps = threads / 32;
/// Entries whose scores are made together.
constexpr int tile = 32;

/// Distance in numbers of an entry of sequence b and kv head k, from the tensor's begin.
__device__ __forceinline__ int64_t entry_at(const DevicePages& pages, int64_t b, int64_t e,
                                            int64_t of_page, int64_t of_entry) {
  const int64_t page = pages.table[b * pages.table_row + e / pages.page];
  return page * of_page + e % pages.page * of_entry;
}

// The parts of one query head, in their order, and its sink, by a block.
template <class T>
__device__ void merge_head(const DeviceDecode& job, int64_t b, int64_t h) {
  const int64_t unit = b * job.H + h, length = job.places[b] + 1, width = job.dv + 2;
  const int64_t seen = job.window > 0 && job.window < length ? length - job.window : 0;
  const int64_t first = seen / decode_part, last = decode_parts(length);
  const float* of_head = job.scratch + unit * decode_parts(job.longest) * width;
  float top = job.sinks != nullptr ? job.sinks[h] : -INFINITY;
  for (int64_t i = first; i < last; ++i) top = Larger::join(top, of_head[i * width]);
  float total = job.sinks != nullptr ? expf(job.sinks[h] - top) : 0.0f;
  for (int64_t i = first; i < last; ++i) {
    total += of_head[i * width + 1] * expf(of_head[i * width] - top);
  }
  if (job.lse != nullptr && threadIdx.x == 0) {
    job.lse[unit] = total > 0 ? top + logf(total) : -INFINITY;
  }
  for (int64_t column = threadIdx.x; column < job.dv; column += blockDim.x) {
    float sum = 0;
    for (int64_t i = first; i < last; ++i) {
      sum += of_head[i * width + 2 + column] * expf(of_head[i * width] - top);
    }
    static_cast<T*>(job.out)[unit * job.dv + column] = narrow<T>(total > 0 ? sum / total : 0.0f);
  }
}

template <class T>
__global__ void merge_parts(DeviceDecode job) {
  merge_head<T>(job, blockIdx.x / job.H, blockIdx.x % job.H);
}

// A part of a sequence's cache and `heads` of the query heads that read one kv head. Scores of a
// tile by warps, an entry each; then every thread adds up `columns` columns of the values.
template <class T, int heads, int columns>
__global__ void attend_part(DeviceDecode job) {
  SIMT_SHARED(float, q, heads* decode_widest);
  SIMT_SHARED(float, weights, heads* tile);
  SIMT_SHARED(int64_t, rows, tile);
  SIMT_SHARED(float, scales, heads);
  const int64_t group = job.H / job.K, blocks_of_group = (group + heads - 1) / heads;
  const int64_t b = blockIdx.x / (job.K * blocks_of_group);
  const int64_t kv = blockIdx.x / blocks_of_group % job.K;
  const int64_t first_head = kv * group + blockIdx.x % blocks_of_group * heads;
  const int64_t left = (kv + 1) * group - first_head, count = left < heads ? left : heads;
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;

  const int64_t length = job.places[b] + 1;
  const int64_t seen = job.window > 0 && job.window < length ? length - job.window : 0;
  const int64_t begin = blockIdx.y * decode_part;
  const int64_t from = begin < seen ? seen : begin;
  const int64_t to = begin + decode_part < length ? begin + decode_part : length;
  // Where all parts are this one, the block that has made them merges them.
  const auto finish = [&] {
    if (gridDim.y > 1) return;
    __syncthreads();
    for (int64_t h = 0; h < count; ++h) merge_head<T>(job, b, first_head + h);
  };
  if (from >= to) return finish();  // the whole block

  for (int64_t i = thread; i < count * job.d; i += threads) {
    const T* head = static_cast<const T*>(job.q) + b * job.q_row;
    q[i] = widen(head[(first_head + i / job.d) * job.q_head + i % job.d]) * job.scale;
  }
  float largest[heads], total[heads], sums[heads][columns];
#pragma unroll
  for (int h = 0; h < heads; ++h) {
    largest[h] = -INFINITY;
    total[h] = 0;
#pragma unroll
    for (int c = 0; c < columns; ++c) sums[h][c] = 0;
  }

  for (int64_t base = from; base < to; base += tile) {
    const int entries = static_cast<int>(to - base < tile ? to - base : tile);
    __syncthreads();  // q is there, and the last tile has been read
    if (thread < entries) {
      rows[thread] = entry_at(job.pages, b, base + thread, job.value_page, job.value_entry);
    }
    for (int e = warp; e < entries; e += warps) {
      const T* key = static_cast<const T*>(job.keys) + kv * job.key_head +
                     entry_at(job.pages, b, base + e, job.key_page, job.key_entry);
      float dots[heads] = {};
      for (int64_t i = lane; i < job.d; i += 32) {
        const float number = widen(key[i]);
#pragma unroll
        for (int h = 0; h < heads; ++h) {
          if (h < count) dots[h] += q[h * job.d + i] * number;
        }
      }
#pragma unroll
      for (int h = 0; h < heads; ++h) {
        if (h >= count) break;
        float score = over_warp<Add>(dots[h]);
        if (job.softcap > 0) score = job.softcap * tanhf(score / job.softcap);
        if (lane == 0) weights[h * tile + e] = score;
      }
    }
    __syncthreads();
    // Every warp brings its heads' scores to weights below the largest so far.
#pragma unroll
    for (int h = 0; h < heads; ++h) {
      if (h % warps != warp || h >= count) continue;
      const float score = lane < entries ? weights[h * tile + lane] : -INFINITY;
      const float top = Larger::join(largest[h], over_warp<Larger>(score));
      const float weight = lane < entries ? expf(score - top) : 0.0f;
      weights[h * tile + lane] = weight;
      const float shrink = expf(largest[h] - top);
      total[h] = total[h] * shrink + over_warp<Add>(weight);
      largest[h] = top;
      if (lane == 0) scales[h] = shrink;
    }
    __syncthreads();
#pragma unroll
    for (int h = 0; h < heads; ++h) {
      if (h >= count) break;
#pragma unroll
      for (int c = 0; c < columns; ++c) sums[h][c] *= scales[h];
    }
    for (int e = 0; e < entries; ++e) {
      const T* value = static_cast<const T*>(job.values) + kv * job.value_head + rows[e];
#pragma unroll
      for (int c = 0; c < columns; ++c) {
        const int64_t column = thread + c * threads;
        if (column >= job.dv) break;
        const float number = widen(value[column]);
#pragma unroll
        for (int h = 0; h < heads; ++h) sums[h][c] += weights[h * tile + e] * number;
      }
    }
  }

  const int64_t parts = decode_parts(job.longest), width = job.dv + 2;
#pragma unroll
  for (int h = 0; h < heads; ++h) {
    if (h >= count) break;
    float* part = job.scratch + ((b * job.H + first_head + h) * parts + blockIdx.y) * width;
    if (warp == h % warps && lane == 0) {
      part[0] = largest[h];
      part[1] = total[h];
    }
#pragma unroll
    for (int c = 0; c < columns; ++c) {
      const int64_t column = thread + c * threads;
      if (column < job.dv) part[2 + column] = sums[h][c];
    }
  }
  finish();
}

template <class T, int heads, int columns>
void attend(const DeviceDecode& job, void* stream) {
  const int64_t group = job.H / job.K, blocks_of_group = (group + heads - 1) / heads;
  simt::launch(attend_part<T, heads, columns>,
               dim3(static_cast<unsigned>(job.B * job.K * blocks_of_group),
                    static_cast<unsigned>(decode_parts(job.longest))),
               threads, 0, stream, job);
}

template <class T, int heads>
void attend_columns(const DeviceDecode& job, void* stream) {
  if (job.dv <= threads) return attend<T, heads, 1>(job, stream);
  if (job.dv <= 2 * threads) return attend<T, heads, 2>(job, stream);
  attend<T, heads, decode_widest / threads>(job, stream);
}

}  // namespace

void decode(const DeviceDecode& job, void* stream) {
  with_type(job.type, [&](auto number) {
    using T = decltype(number);
    const int64_t group = job.H / job.K;
    if (group == 1) {
      attend_columns<T, 1>(job, stream);
    } else if (group <= 4) {
      attend_columns<T, 4>(job, stream);
    } else {
      attend_columns<T, 8>(job, stream);
    }
    if (decode_parts(job.longest) > 1) {
      simt::launch(merge_parts<T>, static_cast<unsigned>(job.B * job.H), threads, 0, stream, job);
    }
  });
}

}  // namespace alambic::kernels::device
