#pragma once

#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Keys and values of running sequences. A sequence owns a slot until it ends; then the slot is
/// free for the next one, so a batch never waits for its longest member.
struct KvCache {
  /// What one layer keeps of a token.
  struct LayerShape {
    int64_t kv_heads = 0, head_width = 0;
    int64_t value_width = head_width;  ///< 0: values are read out of the keys
    int64_t numbers() const { return kv_heads * (head_width + value_width); }
  };
  /// Rows that a layer keeps of a sequence beside its keys and values.
  struct Side {
    int64_t width = 0;
    int64_t tokens = 1;  ///< one row for so many tokens
    int64_t rows = 0;    ///< only so many, in a ring; 0: all
  };
  struct Shape {
    int64_t layers = 0, kv_heads = 0, head_width = 0;
    int64_t value_width = head_width;  ///< 0: values are read out of the keys
    /// Where layers differ, one entry for each; no heads: the layer keeps nothing (Gemma 4).
    std::vector<LayerShape> each = {};

    LayerShape layer(int64_t i) const {
      return each.empty() ? LayerShape{kv_heads, head_width, value_width} : each[i];
    }
    /// Beside that, of each layer; empty: none of any.
    std::vector<std::vector<Side>> sides = {};
    /// Kept of each token; rings, which do not grow with the tokens, are not counted.
    int64_t numbers() const;
  };
  struct Layer {
    Tensor keys, values;             ///< [slots, K, capacity, width]
    std::vector<Tensor> sides = {};  ///< [slots, rows, width]
  };
  std::vector<Layer> layers;
  std::vector<int64_t> lengths;  ///< per slot: entries filled so far
  int64_t capacity = 0;          ///< most entries of a slot

  KvCache(const Shape& shape, int64_t slots, int64_t capacity, at::TensorOptions options);
};

}  // namespace alambic
