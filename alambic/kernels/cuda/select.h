// The largest of a row that hold a share together, found by a block in four passes over the row:
// a radix search, whose sums are of whole numbers and so the same in every order.
#pragma once

#include "alambic/kernels/cuda/reduce.h"

namespace alambic::kernels::device {

/// Weights and shares are whole numbers of this.
inline constexpr float weight_unit = 0x1p-44f;

/// A weight of at most 1.
__device__ __forceinline__ unsigned long long fixed(float weight) {
  return static_cast<unsigned long long>(weight * (1 / weight_unit));
}

/// Bits of a float in an order in which the larger float is the larger number.
__device__ __forceinline__ uint32_t ordered(float x) {
  const uint32_t bits = __float_as_uint(x);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

/// Where the sum of weights, from the largest key down, reaches a share.
struct Border {
  uint32_t key;
  unsigned long long above;   ///< of the keys above
  unsigned long long inside;  ///< of this key
};

/// Of keys key(v) with weights weight(v), v < count, at all threads of the block. The largest key
/// with a weight where the share is 0, the smallest where all together do not reach it.
template <class Key, class Weight>
__device__ Border find_border(int64_t count, unsigned long long share, const Key& key,
                              const Weight& weight) {
  SIMT_SHARED(unsigned long long, bins, 256);
  SIMT_SHARED(Border, found, 1);
  uint32_t prefix = 0;
  unsigned long long above = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    __syncthreads();  // `found` and the bins may still be read
    for (int i = threadIdx.x; i < 256; i += blockDim.x) bins[i] = 0;
    __syncthreads();
    for (int64_t v = threadIdx.x; v < count; v += blockDim.x) {
      const uint32_t k = key(v);
      if (shift < 24 && k >> (shift + 8) != prefix) continue;
      const unsigned long long w = weight(v);
      if (w != 0) atomicAdd(&bins[k >> shift & 255], w);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int last = 0;
      unsigned long long before = above, before_last = above;
      for (int i = 255; i >= 0; --i) {
        if (bins[i] == 0) continue;
        last = i;
        before_last = before;
        if (before + bins[i] >= share) break;
        before += bins[i];
      }
      found[0] = {prefix << 8 | static_cast<uint32_t>(last), before_last, bins[last]};
    }
    __syncthreads();
    prefix = found[0].key;
    above = found[0].above;
  }
  return found[0];
}

/// The elements of a row that stay: those above a key, and of those at it the ones up to an index.
struct Kept {
  uint32_t key;
  int64_t last;

  __device__ bool holds(uint32_t k, int64_t v) const { return k > key || (k == key && v <= last); }
};

/// The fewest elements that hold the share, by falling keys and of equal ones the lower index
/// first. Elements of one key have one weight.
template <class Key, class Weight>
__device__ Kept keep_share(int64_t count, unsigned long long share, const Key& key,
                           const Weight& weight) {
  const Border border = find_border(count, share, key, weight);
  if (border.above + border.inside <= share) return {border.key, count};
  const auto equal = [&](int64_t v) -> unsigned long long { return key(v) == border.key ? 1 : 0; };
  // How many of them: found with their common weight, which any of them tells.
  SIMT_SHARED(unsigned long long, common, 1);
  __syncthreads();
  for (int64_t v = threadIdx.x; v < count; v += blockDim.x) {
    if (key(v) == border.key) common[0] = weight(v);  // all write the same
  }
  __syncthreads();
  const unsigned long long each = common[0],
                           missing = share > border.above ? share - border.above : 0;
  const unsigned long long wanted = missing == 0 ? 1 : (missing + each - 1) / each;
  const Border last = find_border(
      count, wanted, [](int64_t v) { return ~static_cast<uint32_t>(v); }, equal);
  return {border.key, static_cast<int64_t>(~last.key)};
}

}  // namespace alambic::kernels::device
