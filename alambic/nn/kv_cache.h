#pragma once

#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Keys and values of running sequences, or what linear attention remembers in their place. A
/// sequence owns a slot until it ends; then the slot is free for the next one, so a batch never
/// waits for its longest member.
struct KvCache {
  /// What a layer of linear attention keeps of a sequence, however long it is.
  struct StateShape {
    int64_t heads = 0, key_width = 0, value_width = 0;
    int64_t window = 0, channels = 0;  ///< the inputs that its convolution will see again
    int64_t numbers() const { return heads * key_width * value_width + window * channels; }
  };
  struct Shape {
    int64_t layers = 0, kv_heads = 0, head_width = 0;
    int64_t value_width = head_width;  ///< 0: values are read out of the keys
    StateShape state = {};
    std::vector<bool> linear = {};  ///< per layer: keeps a state; empty: none does
    int64_t linear_layers() const;
    /// Kept of each token.
    int64_t numbers() const;
    /// Kept of each sequence beside.
    int64_t state_numbers() const { return linear_layers() * state.numbers(); }
  };
  struct Layer {
    Tensor keys, values;  ///< [slots, K, capacity, width]; undefined in linear layers
    Tensor state;         ///< [slots, heads, key width, value width], float32 or float64
    Tensor window;        ///< [slots, window, channels], the last one last
  };
  std::vector<Layer> layers;
  std::vector<int64_t> lengths;  ///< per slot: entries filled so far
  int64_t capacity = 0;          ///< most entries of a slot

  KvCache(const Shape& shape, int64_t slots, int64_t capacity, at::TensorOptions options);
};

}  // namespace alambic
