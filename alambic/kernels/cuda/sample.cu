// The draw of the next tokens, a row of logits to a block (rollout/sample.cpp is the CPU's).
#include "alambic/base/philox.h"
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/cuda/numbers.h"
#include "alambic/kernels/cuda/select.h"

namespace alambic::kernels::device {
namespace {

constexpr unsigned threads = 512;

/// Weights of a row's tokens, whole numbers of weight_unit, the largest 2⁴⁴ of them.
struct Weights {
  const float* logits;
  float largest, inverse_temperature;

  __device__ unsigned long long operator()(int64_t v) const {
    return fixed(expf((logits[v] - largest) * inverse_temperature));
  }
};

/// The tokens that the filters leave.
struct Filtered {
  Weights weight;
  Kept top_k, top_p;
  unsigned long long least;  // min-p's

  __device__ unsigned long long operator()(int64_t v) const {
    const uint32_t key = ordered(weight.logits[v]);
    if (!top_k.holds(key, v) || !top_p.holds(key, v)) return 0;
    const unsigned long long w = weight(v);
    return w >= least ? w : 0;
  }
};

template <class Weight>
__device__ unsigned long long total_of(int64_t V, const Weight& weight) {
  unsigned long long sum = 0;
  for (int64_t v = threadIdx.x; v < V; v += blockDim.x) sum += weight(v);
  return block_sum(sum);
}

__device__ Filtered filtered(const DeviceSample& job, const Weights& weight,
                             unsigned long long total) {
  const Kept all = {0, job.V};
  Filtered kept = {weight, all, all, 0};
  const auto key = [&](int64_t v) { return ordered(weight.logits[v]); };
  if (job.top_k > 0 && job.top_k < job.V) {
    const Border border = find_border(job.V, static_cast<unsigned long long>(job.top_k), key,
                                      [](int64_t) -> unsigned long long { return 1; });
    kept.top_k = {border.key, job.V};  // ties of the last one stay
  }
  if (job.top_p < 1) {
    const auto left = [&](int64_t v) -> unsigned long long {
      return kept.top_k.holds(key(v), v) ? weight(v) : 0;
    };
    const unsigned long long sum = job.top_k > 0 ? total_of(job.V, left) : total;
    kept.top_p = keep_share(
        job.V, static_cast<unsigned long long>(job.top_p * static_cast<double>(sum)), key, left);
  }
  if (job.min_p > 0) {
    kept.least = static_cast<unsigned long long>(job.min_p * (1.0 / weight_unit));
  }
  return kept;
}

/// The token whose interval of the running sum, in the order of ids, holds coin · sum. Each warp
/// sums a stretch of ids; then one warp walks the stretch that holds the place.
template <class Weight>
__device__ int32_t draw(int64_t V, double coin, const Weight& weight) {
  SIMT_SHARED(unsigned long long, sums, threads / 32);
  SIMT_SHARED(int32_t, drawn, 1);
  const unsigned warp = threadIdx.x / simt::warp_size, lane = threadIdx.x % simt::warp_size;
  const int64_t segments = blockDim.x / simt::warp_size;
  const int64_t stretch = (V + segments - 1) / segments;
  const auto end_of = [&](int64_t segment) {
    return (segment + 1) * stretch < V ? (segment + 1) * stretch : V;
  };
  unsigned long long sum = 0;
  for (int64_t v = warp * stretch + lane; v < end_of(warp); v += simt::warp_size) sum += weight(v);
  sum = over_warp<Add>(sum);
  __syncthreads();
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    unsigned long long total = 0;
    for (int64_t i = 0; i < segments; ++i) total += sums[i];
    auto target = static_cast<unsigned long long>(coin * static_cast<double>(total));
    if (target >= total) target = total - 1;  // rounding
    int64_t segment = 0;
    while (target >= sums[segment]) target -= sums[segment++];
    for (int64_t base = segment * stretch;; base += simt::warp_size) {
      const int64_t v = base + lane;
      unsigned long long running = v < end_of(segment) ? weight(v) : 0;
      for (unsigned step = 1; step < simt::warp_size; step *= 2) {
        const unsigned long long below = __shfl_up_sync(every_lane, running, step);
        if (lane >= step) running += below;
      }
      const unsigned holders = __ballot_sync(every_lane, running > target);
      if (holders != 0) {
        int first = 0;
        while ((holders >> first & 1) == 0) ++first;
        if (lane == 0) drawn[0] = static_cast<int32_t>(base + first);
        break;
      }
      target -= __shfl_sync(every_lane, running, simt::warp_size - 1);
    }
  }
  __syncthreads();
  return drawn[0];
}

__device__ double coin_of(const DeviceSample& job) {
  return uniform_of(words_of({.seed = job.seed,
                              .stream = Stream::sampling,
                              .step = job.step,
                              .sample = static_cast<uint64_t>(job.id[blockIdx.x]),
                              .position = static_cast<uint32_t>(job.place[blockIdx.x] + 1)}));
}

/// What one thread leaves of a row's draw.
__device__ void leave(const DeviceSample& job, int64_t token, double logp) {
  job.token[blockIdx.x] = token;
  job.drawn[blockIdx.x] = static_cast<double>(token);
  job.drawn[job.B + blockIdx.x] = logp;
  if (job.advance) ++job.place[blockIdx.x];
}

__global__ void sample_row(DeviceSample job) {
  const float* logits = job.logits + blockIdx.x * job.row;
  float largest = -INFINITY, poison = 0;  // x − x is 0, or not a number where x is not finite
  for (int64_t v = threadIdx.x; v < job.V; v += blockDim.x) {
    largest = Larger::join(largest, logits[v]);
    poison += logits[v] - logits[v];
  }
  largest = over_block<Larger>(largest, -INFINITY);
  if (block_sum(poison) != 0) {
    if (threadIdx.x == 0) leave(job, 0, NAN);  // a token that the next pass can read
    return;
  }
  const double temperature = job.temperature == 0 ? 1 : job.temperature;
  const double inverse = 1 / temperature;
  const Weights weight = {logits, largest, static_cast<float>(inverse < 1e30 ? inverse : 1e30)};
  const unsigned long long total = total_of(job.V, weight);
  int32_t token;
  if (job.temperature == 0) {
    // Of equal ones the first.
    token = draw(job.V, 0, [&](int64_t v) -> unsigned long long { return logits[v] == largest; });
  } else {
    const double coin = job.coins != nullptr ? job.coins[blockIdx.x] : coin_of(job);
    const bool filters = job.top_k > 0 || job.top_p < 1 || job.min_p > 0;
    token = filters ? draw(job.V, coin, filtered(job, weight, total)) : draw(job.V, coin, weight);
  }
  if (threadIdx.x != 0) return;
  const double sum = static_cast<double>(total) * weight_unit;
  leave(job, token, (static_cast<double>(logits[token]) - largest) / temperature - log(sum));
}

}  // namespace

void sample(const DeviceSample& job, void* stream) {
  simt::launch(sample_row, static_cast<unsigned>(job.B), threads_for(job.V, threads), 0, stream,
               job);
}

}  // namespace alambic::kernels::device
