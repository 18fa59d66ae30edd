#include "alambic/nn/kv_cache.h"

#include <array>

namespace alambic {

KvCache::KvCache(const Shape& shape, int64_t slots, int64_t capacity, at::TensorOptions options)
    : lengths(slots, 0), capacity(capacity) {
  for (int64_t i = 0; i < shape.layers; ++i) {
    const std::array<int64_t, 4> sizes = {slots, shape.kv_heads, capacity, shape.head_width};
    layers.push_back({at::empty(sizes, options), at::empty(sizes, options)});
  }
}

}  // namespace alambic
