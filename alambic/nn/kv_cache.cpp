#include "alambic/nn/kv_cache.h"

#include <array>

namespace alambic {

KvCache::KvCache(const Shape& shape, int64_t slots, int64_t capacity, at::TensorOptions options)
    : lengths(slots, 0), capacity(capacity) {
  for (int64_t i = 0; i < shape.layers; ++i) {
    const LayerShape layer = shape.layer(i);
    const auto entries = [&](int64_t width) {
      return at::empty(std::array{slots, layer.kv_heads, capacity, width}, options);
    };
    layers.push_back({entries(layer.head_width), entries(layer.value_width)});
  }
}

}  // namespace alambic
