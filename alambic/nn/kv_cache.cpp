#include "alambic/nn/kv_cache.h"

#include <algorithm>
#include <array>

namespace alambic {

int64_t KvCache::Shape::linear_layers() const { return std::ranges::count(linear, true); }

int64_t KvCache::Shape::numbers() const {
  return (layers - linear_layers()) * kv_heads * (head_width + value_width);
}

KvCache::KvCache(const Shape& shape, int64_t slots, int64_t capacity, at::TensorOptions options)
    : lengths(slots, 0), capacity(capacity) {
  const auto entries = [&](int64_t width) {
    return at::empty(std::array{slots, shape.kv_heads, capacity, width}, options);
  };
  const StateShape& state = shape.state;
  // Rounded to bfloat16 at every step, a state would drift from the learning pass's.
  const auto wide = options.dtype() == at::kDouble ? at::kDouble : at::kFloat;
  for (int64_t i = 0; i < shape.layers; ++i) {
    if (!shape.linear.empty() && shape.linear[i]) {
      layers.push_back(
          {.state = at::zeros(std::array{slots, state.heads, state.key_width, state.value_width},
                              options.dtype(wide)),
           .window = at::zeros(std::array{slots, state.window, state.channels}, options)});
    } else {
      layers.push_back({.keys = entries(shape.head_width), .values = entries(shape.value_width)});
    }
  }
}

}  // namespace alambic
