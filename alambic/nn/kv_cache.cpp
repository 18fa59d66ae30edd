#include "alambic/nn/kv_cache.h"

#include <algorithm>
#include <array>

namespace alambic {

int64_t KvCache::LayerShape::numel() const {
  int64_t count = kv_heads * (head_width + value_width);
  for (const Side& side : sides) {
    if (side.rows == 0) count += (side.width + side.tokens - 1) / side.tokens;
  }
  return count;
}

int64_t KvCache::LayerShape::state_numel() const {
  int64_t count = state.numel();
  for (const Side& side : sides) count += side.rows * side.width;
  return count;
}

int64_t KvCache::Shape::numel() const {
  int64_t count = 0;
  for (int64_t i = 0; i < layers; ++i) count += layer(i).numel();
  return count;
}

int64_t KvCache::Shape::state_numel() const {
  int64_t count = 0;
  for (int64_t i = 0; i < layers; ++i) count += layer(i).state_numel();
  return count;
}

KvCache::KvCache(const Shape& shape, int64_t slots, int64_t capacity, at::TensorOptions options,
                 std::shared_ptr<const KvPages> given)
    : lengths(slots, 0), capacity(capacity), pages(std::move(given)) {
  // Rounded to bfloat16 at every step, a state would drift from the learning pass's.
  const auto wide = options.dtype() == at::kDouble ? at::kDouble : at::kFloat;
  for (int64_t i = 0; i < shape.layers; ++i) {
    const LayerShape layer = shape.layer(i);
    const StateShape& state = layer.state;
    const auto entries = [&](int64_t width) {
      if (pages)
        return at::empty(std::array{int64_t{0}, layer.kv_heads, pages->size(), width}, options);
      const std::array sizes{slots, layer.kv_heads, capacity, width};
      return options.device().is_cpu() ? at::empty(sizes, options) : at::zeros(sizes, options);
    };
    Layer made = {.keys = entries(layer.head_width), .values = entries(layer.value_width)};
    if (state.heads > 0) {
      made.state = at::zeros(std::array{slots, state.heads, state.key_width, state.value_width},
                             options.dtype(wide));
      made.window = at::zeros(std::array{slots, state.window, state.channels}, options);
    }
    for (const Side& side : layer.sides) {
      const int64_t rows = side.rows > 0 ? side.rows : capacity / side.tokens;
      made.sides.push_back(at::empty(std::array{slots, rows, side.width}, options));
    }
    layers.push_back(std::move(made));
  }
}

int64_t KvCache::page_bytes() const {
  int64_t bytes = 0;
  for (const Layer& layer : layers) {
    for (const Tensor* entries : {&layer.keys, &layer.values}) {
      bytes += entries->size(1) * entries->size(2) * entries->size(3) * entries->element_size();
    }
  }
  return bytes;
}

void KvCache::grow(int64_t count) {
  for (Layer& layer : layers) {
    for (Tensor* entries : {&layer.keys, &layer.values}) {
      const int64_t before = entries->size(0);
      if (before >= count) continue;
      std::vector<int64_t> sizes = entries->sizes().vec();
      sizes[0] = count;
      const Tensor larger = at::empty(sizes, entries->options());
      if (larger.numel() > 0) {
        if (before > 0) larger.narrow(0, 0, before).copy_(*entries);
        // Attention reads entries that were never written, and gives them no weight.
        larger.narrow(0, before, count - before).zero_();
      }
      *entries = larger;
    }
  }
}

bool KvCache::mixes() const {
  return std::ranges::all_of(layers, [](const Layer& layer) {
    return layer.keys.size(1) > 0 && layer.keys.size(3) == layer.values.size(3) &&
           !layer.state.defined() && layer.sides.empty();
  });
}

}  // namespace alambic
