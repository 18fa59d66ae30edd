// Mixtures of experts: (token, expert) pairs in the order of experts with counts on the device, and
// rows there and back in an order of sums that is fixed.
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/numbers.h"
#include "alambic/kernels/cuda/reduce.h"

namespace alambic::kernels::device {
namespace {

constexpr unsigned threads = 256;

// How many pairs of a block of route_block go to each expert: scratch [blocks, E].
__global__ void count_pairs(DeviceRoute job) {
  SIMT_SHARED(int32_t, counts, most_experts);
  for (int64_t e = threadIdx.x; e < job.E; e += blockDim.x) counts[e] = 0;
  __syncthreads();
  const int64_t j = global_thread();
  if (j < job.pairs) atomicAdd(&counts[job.experts[j]], 1);
  __syncthreads();
  for (int64_t e = threadIdx.x; e < job.E; e += blockDim.x) {
    job.scratch[blockIdx.x * job.E + e] = counts[e];
  }
}

// Counts become places: where each block's pairs of each expert begin. An expert to a thread.
__global__ void begin_pairs(DeviceRoute job, int64_t blocks) {
  SIMT_SHARED(int32_t, ends, most_experts);
  const int64_t e = threadIdx.x;
  int32_t count = 0;
  for (int64_t b = 0; e < job.E && b < blocks; ++b) count += job.scratch[b * job.E + e];
  ends[e] = count;
  for (int64_t step = 1; step < most_experts; step *= 2) {
    __syncthreads();
    const int32_t below = e >= step ? ends[e - step] : 0;
    __syncthreads();
    ends[e] += below;
  }
  if (e >= job.E) return;
  job.counts[e] = count;
  job.ends[e] = ends[e];
  int32_t begin = ends[e] - count;
  for (int64_t b = 0; b < blocks; ++b) {
    const int32_t here = job.scratch[b * job.E + e];
    job.scratch[b * job.E + e] = begin;
    begin += here;
  }
}

// A pair's place: behind those of its block before it with the same expert.
__global__ void place_pairs(DeviceRoute job) {
  SIMT_SHARED(int64_t, experts, route_block);
  const int64_t j = global_thread();
  experts[threadIdx.x] = j < job.pairs ? job.experts[j] : -1;
  __syncthreads();
  if (j >= job.pairs) return;
  const int64_t e = experts[threadIdx.x];
  int32_t place = job.scratch[blockIdx.x * job.E + e];
  for (unsigned i = 0; i < threadIdx.x; ++i) place += experts[i] == e;
  job.place[j] = place;
  job.order[place] = static_cast<int32_t>(j);
}

// A pair's row to a block.
template <class T>
__global__ void gather_row(DeviceMoe job) {
  const T* from = static_cast<const T*>(job.from) + job.order[blockIdx.x] / job.k * job.D;
  T* to = static_cast<T*>(job.to) + blockIdx.x * job.D;
  for (int64_t d = threadIdx.x; d < job.D; d += blockDim.x) to[d] = from[d];
}

// A token's row to a block.
template <class T>
__global__ void combine_row(DeviceMoe job) {
  const int64_t n = blockIdx.x;
  const T* from = static_cast<const T*>(job.from);
  const T* base = static_cast<const T*>(job.base);
  for (int64_t d = threadIdx.x; d < job.D; d += blockDim.x) {
    float sum = base != nullptr ? widen(base[n * job.D + d]) : 0.0f;
    for (int64_t i = 0; i < job.k; ++i) {
      const int64_t j = n * job.k + i;
      const float weight = job.weight != nullptr ? job.weight[j] : 1.0f;
      sum += weight * widen(from[job.place[j] * job.D + d]);
    }
    static_cast<T*>(job.to)[n * job.D + d] = narrow<T>(sum);
  }
}

// A pair to a block.
template <class T>
__global__ void combine_row_grad(DeviceMoe job) {
  const int64_t j = blockIdx.x, place = job.place[j];
  const T* dto = static_cast<const T*>(job.dto) + j / job.k * job.D;
  const T* from = static_cast<const T*>(job.from) + place * job.D;
  T* dfrom = static_cast<T*>(job.dfrom) + place * job.D;
  const float weight = job.weight[j];
  float dot = 0;
  for (int64_t d = threadIdx.x; d < job.D; d += blockDim.x) {
    const float grad = widen(dto[d]);
    dot += grad * widen(from[d]);
    dfrom[d] = narrow<T>(weight * grad);
  }
  dot = block_sum(dot);
  if (threadIdx.x == 0) job.dweight[j] = dot;
}

}  // namespace

void route(const DeviceRoute& job, void* stream) {
  const unsigned blocks = blocks_for(job.pairs, route_block);
  simt::launch(count_pairs, blocks, route_block, 0, stream, job);
  simt::launch(begin_pairs, 1, static_cast<unsigned>(most_experts), 0, stream, job,
               static_cast<int64_t>(blocks));
  simt::launch(place_pairs, blocks, route_block, 0, stream, job);
}

void moe_gather(const DeviceMoe& job, void* stream) {
  with_type(job.type, [&](auto number) {
    simt::launch(gather_row<decltype(number)>, static_cast<unsigned>(job.N * job.k),
                 threads_for(job.D, threads), 0, stream, job);
  });
}

void moe_combine(const DeviceMoe& job, void* stream) {
  with_type(job.type, [&](auto number) {
    simt::launch(combine_row<decltype(number)>, static_cast<unsigned>(job.N),
                 threads_for(job.D, threads), 0, stream, job);
  });
}

void moe_combine_grad(const DeviceMoe& job, void* stream) {
  with_type(job.type, [&](auto number) {
    simt::launch(combine_row_grad<decltype(number)>, static_cast<unsigned>(job.N * job.k),
                 threads_for(job.D, threads), 0, stream, job);
  });
}

}  // namespace alambic::kernels::device
