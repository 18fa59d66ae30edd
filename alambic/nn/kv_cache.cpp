#include "alambic/nn/kv_cache.h"

#include <array>

namespace alambic {

int64_t KvCache::Shape::numbers() const {
  int64_t count = 0;
  for (int64_t i = 0; i < layers; ++i) count += layer(i).numbers();
  for (const std::vector<Side>& of_layer : sides) {
    for (const Side& side : of_layer) {
      if (side.rows == 0) count += (side.width + side.tokens - 1) / side.tokens;
    }
  }
  return count;
}

KvCache::KvCache(const Shape& shape, int64_t slots, int64_t capacity, at::TensorOptions options)
    : lengths(slots, 0), capacity(capacity) {
  for (int64_t i = 0; i < shape.layers; ++i) {
    const LayerShape layer = shape.layer(i);
    const auto entries = [&](int64_t width) {
      return at::empty(std::array{slots, layer.kv_heads, capacity, width}, options);
    };
    Layer made = {.keys = entries(layer.head_width), .values = entries(layer.value_width)};
    if (!shape.sides.empty()) {
      for (const Side& side : shape.sides.at(i)) {
        const int64_t rows = side.rows > 0 ? side.rows : capacity / side.tokens;
        made.sides.push_back(at::empty(std::array{slots, rows, side.width}, options));
      }
    }
    layers.push_back(std::move(made));
  }
}

}  // namespace alambic
