// Heads on their way to attention: RMS norm of each, rotary position, and the row of the cache.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/numbers.h"
#include "alambic/kernels/cuda/reduce.h"

namespace alambic::kernels::device {
namespace {

constexpr int heads_per_block = 4;

// A head to a warp; a lane has pairs (i, i + d/2).
template <class T>
__global__ void turn_heads(DeviceHeads job) {
  const unsigned lane = threadIdx.x % simt::warp_size;
  const int64_t unit =
      static_cast<int64_t>(blockIdx.x) * heads_per_block + threadIdx.x / simt::warp_size;
  if (unit >= job.N * job.H) return;  // a whole warp
  const int64_t n = unit / job.H, h = unit % job.H, half = job.d / 2;
  const T* x = static_cast<const T*>(job.x) + n * job.x_row + h * job.x_head;
  const T* weight = static_cast<const T*>(job.norm_weight);

  float scale = 1;
  if (weight != nullptr) {
    float squares = 0;
    for (int64_t i = lane; i < job.d; i += simt::warp_size) squares += widen(x[i]) * widen(x[i]);
    scale = 1.0f / sqrtf(over_warp<Add>(squares) / static_cast<float>(job.d) + job.epsilon);
  }
  const auto number = [&](int64_t i) {
    const float value = widen(x[i]);
    if (weight == nullptr) return value;
    return widen(narrow<T>(widen(weight[i]) * widen(narrow<T>(value * scale))));
  };

  T* y = job.y == nullptr ? nullptr : static_cast<T*>(job.y) + unit * job.d;
  T* entry = nullptr;
  if (job.cache != nullptr) {
    const int64_t place = job.places[n];
    const int64_t page = job.pages.table[n * job.pages.table_row + place / job.pages.page];
    entry = static_cast<T*>(job.cache) + page * job.cache_page + h * job.cache_head +
            place % job.pages.page * job.cache_entry;
  }
  const auto put = [&](int64_t i, float value) {
    if (y != nullptr) y[i] = narrow<T>(value);
    if (entry != nullptr) entry[i] = narrow<T>(value);
  };
  if (job.cos == nullptr) {
    for (int64_t i = lane; i < job.d; i += simt::warp_size) put(i, number(i));
    return;
  }
  for (int64_t i = lane; i < half; i += simt::warp_size) {
    const float c = job.cos[n * half + i], s = job.sin[n * half + i] * job.direction;
    const float low = number(i), high = number(half + i);
    put(i, low * c - high * s);
    put(half + i, high * c + low * s);
  }
}

}  // namespace

void heads(const DeviceHeads& job, void* stream) {
  with_type(job.type, [&](auto number) {
    simt::launch(turn_heads<decltype(number)>, blocks_for(job.N * job.H, heads_per_block),
                 heads_per_block * simt::warp_size, 0, stream, job);
  });
}

}  // namespace alambic::kernels::device
