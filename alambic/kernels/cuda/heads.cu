// Heads on their way to attention: RMS norm of each, rotary position, and the row of the cache.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/numbers.h"
#include "alambic/kernels/cuda/reduce.h"

namespace alambic::kernels::device {
namespace {

constexpr int heads_per_block = 4;

/// 1 / root of a head's mean square, at all lanes of its warp; 1 without a norm.
template <class T>
__device__ float scale_of(const DeviceHeads& job, const T* x, unsigned lane) {
  if (job.norm.weight == nullptr) return 1;
  float squares = 0;
  for (int64_t i = lane; i < job.d; i += simt::warp_size) squares += widen(x[i]) * widen(x[i]);
  return 1.0f / sqrtf(over_warp<Add>(squares) / static_cast<float>(job.d) + job.norm.epsilon);
}

/// A number of the head behind its norm.
template <class T>
__device__ float normed(const DeviceHeadNorm& norm, float x, float scale, int64_t i) {
  if (norm.weight == nullptr) return x;
  const bool narrow_weight = norm.weight_type == DeviceNumber::bf16;
  const float weight = (narrow_weight ? widen(static_cast<const Bf16*>(norm.weight)[i])
                                      : static_cast<const float*>(norm.weight)[i]) +
                       norm.shift;
  const bool wide = norm.wide || narrow_weight != (sizeof(T) == sizeof(Bf16));
  const float quotient = wide ? x * scale : widen(narrow<T>(x * scale));
  return widen(narrow<T>(weight * quotient));
}

/// Where row n's entry begins in the cache, of head h.
template <class T>
__device__ T* entry_of(const DeviceHeads& job, int64_t n, int64_t h) {
  if (job.cache == nullptr) return nullptr;
  const int64_t place = job.places[n];
  const int64_t page = job.pages.table[n * job.pages.table_row + place / job.pages.page];
  return static_cast<T*>(job.cache) + page * job.cache_page + h * job.cache_head +
         place % job.pages.page * job.cache_entry;
}

// A head to a warp, of one part after the other; a lane has pairs (i, i + turned/2).
template <class T>
__global__ void turn_heads(const __grid_constant__ DeviceHeadParts parts) {
  const unsigned lane = threadIdx.x % simt::warp_size;
  int64_t unit = static_cast<int64_t>(blockIdx.x) * heads_per_block + threadIdx.x / simt::warp_size;
  int which = 0;
  while (which < parts.count && unit >= parts.part[which].N * parts.part[which].H) {
    unit -= parts.part[which].N * parts.part[which].H;
    ++which;
  }
  if (which == parts.count) return;  // a whole warp
  const DeviceHeads& job = parts.part[which];
  const int64_t n = unit / job.H, h = unit % job.H;
  const T* x = static_cast<const T*>(job.x) + n * job.x_row + h * job.x_head;
  const float scale = scale_of(job, x, lane);
  const auto number = [&](int64_t i) { return normed<T>(job.norm, widen(x[i]), scale, i); };

  T* y = job.y == nullptr ? nullptr : static_cast<T*>(job.y) + unit * job.d;
  T* entry = entry_of<T>(job, n, h);
  const auto put = [&](int64_t i, float value) {
    if (y != nullptr) y[i] = narrow<T>(value);
    if (entry != nullptr) entry[i] = narrow<T>(value);
  };
  const int64_t turned = job.cos == nullptr ? 0 : job.turned, half = turned / 2;
  for (int64_t i = lane; i < half; i += simt::warp_size) {
    const float c = job.cos[n * half + i], s = job.sin[n * half + i] * job.direction;
    const float low = number(i), high = number(half + i);
    put(i, low * c - high * s);
    put(half + i, high * c + low * s);
  }
  for (int64_t i = turned + lane; i < job.d; i += simt::warp_size) put(i, number(i));
}

}  // namespace

void heads(const DeviceHeadParts& job, void* stream) {
  int64_t units = 0;
  for (int i = 0; i < job.count; ++i) units += job.part[i].N * job.part[i].H;
  with_type(job.type, [&](auto number) {
    simt::launch(turn_heads<decltype(number)>, blocks_for(units, heads_per_block),
                 heads_per_block * simt::warp_size, 0, stream, job);
  });
}

}  // namespace alambic::kernels::device
