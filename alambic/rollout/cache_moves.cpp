#include "alambic/rollout/cache_moves.h"

#include "alambic/base/error.h"

namespace alambic {

namespace {

// The first rows along `dimension`, as many as `from` has.
void copy_rows(const Tensor& from, const Tensor& to, int64_t dimension) {
  if (from.defined() && from.numel() > 0) {
    to.narrow(dimension, 0, from.size(dimension)).copy_(from);
  }
}

}  // namespace

void move_cache(const KvCache& from, KvCache& to) {
  check(from.lengths.size() == to.lengths.size() && from.capacity <= to.capacity,
        "a cache of {} slots of {} tokens moves to {} slots of {}", from.lengths.size(),
        from.capacity, to.lengths.size(), to.capacity);
  for (size_t i = 0; i < from.layers.size(); ++i) {
    const KvCache::Layer &old = from.layers[i], &made = to.layers[i];
    copy_rows(old.keys, made.keys, 2);
    copy_rows(old.values, made.values, 2);
    copy_rows(old.state, made.state, 0);
    copy_rows(old.window, made.window, 0);
    for (size_t side = 0; side < old.sides.size(); ++side) {
      copy_rows(old.sides[side], made.sides[side], 1);
    }
  }
  to.lengths = from.lengths;
}

void copy_slot(KvCache& cache, int64_t from, int64_t to) {
  const int64_t length = cache.lengths[static_cast<size_t>(from)];
  const auto copy = [&](const Tensor& tensor) {
    if (tensor.defined() && tensor.numel() > 0) tensor[to].copy_(tensor[from]);
  };
  // Keys and values up to the sequence's length alone.
  const auto copy_filled = [&](const Tensor& tensor) {
    if (tensor.defined() && tensor.numel() > 0) {
      tensor[to].narrow(1, 0, length).copy_(tensor[from].narrow(1, 0, length));
    }
  };
  for (const KvCache::Layer& layer : cache.layers) {
    if (!cache.pages) {
      copy_filled(layer.keys);
      copy_filled(layer.values);
    }
    copy(layer.state);
    copy(layer.window);
    for (const Tensor& side : layer.sides) copy(side);
  }
  cache.lengths[static_cast<size_t>(to)] = length;
}

KvCache new_cache(const Model& model, const Head& head, int64_t slots, int64_t capacity,
                  std::shared_ptr<const KvPages> pages) {
  const KvCache::Shape shape = model.shape().cache;
  try {
    return {shape, slots, capacity, head.weight_VD.options().requires_grad(false), pages};
  } catch (const c10::OutOfMemoryError&) {
    const double gigabytes = 1e-9 *
                             static_cast<double>(at::elementSize(head.weight_VD.scalar_type())) *
                             static_cast<double>(slots) *
                             static_cast<double>(shape.numel() * capacity + shape.state_numel());
    throw environment_error(
        "not enough memory for the keys and values of {} sequences of {} tokens: {:.1f} GB", slots,
        capacity, gigabytes)
        .with_hint("generate fewer sequences at a time, or shorter ones");
  }
}

}  // namespace alambic
