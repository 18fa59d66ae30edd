#pragma once

#include <memory>
#include <vector>

#include "alambic/nn/kv_pages.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// Keys and values of running sequences, or what a layer remembers in their place or beside them. A
/// sequence owns a slot until it ends; then the slot is free for the next one, so a batch never
/// waits for its longest member. Keys and values lie in pages: in one of a slot's own, as long as
/// the capacity, or in those that a KvPages has given to it.
struct KvCache {
  /// State of a sequence in a layer of linear attention, however long the sequence is.
  struct StateShape {
    int64_t heads = 0, key_width = 0, value_width = 0;
    int64_t window = 0, channels = 0;  ///< the inputs that its convolution will see again
    int64_t numel() const { return heads * key_width * value_width + window * channels; }
  };
  /// Rows that a layer keeps of a sequence beside its keys and values.
  struct Side {
    int64_t width = 0;
    int64_t tokens = 1;  ///< one row for so many tokens
    int64_t rows = 0;    ///< only so many, in a ring; 0: all
  };
  /// Keys and values, or states, of one layer.
  struct LayerShape {
    int64_t kv_heads = 0, head_width = 0;  ///< no heads: no keys and values
    int64_t value_width = head_width;      ///< 0: values are read out of the keys
    StateShape state = {};                 ///< no heads: none
    std::vector<Side> sides = {};
    /// Numbers kept of each token.
    int64_t numel() const;
    /// Numbers kept of each sequence beside: states and rings, which do not grow with the tokens.
    int64_t state_numel() const;
  };
  struct Shape {
    int64_t layers = 0, kv_heads = 0, head_width = 0;
    int64_t value_width = head_width;  ///< 0: values are read out of the keys
    /// Shapes of the layers where they differ, or keep more than that; empty: all alike.
    std::vector<LayerShape> each = {};

    LayerShape layer(int64_t i) const {
      return each.empty() ? LayerShape{kv_heads, head_width, value_width} : each[i];
    }
    /// Sums over the layers.
    int64_t numel() const;
    int64_t state_numel() const;
  };
  struct Layer {
    Tensor keys, values;             ///< [pages, K, entries of a page, width]
    Tensor state;                    ///< [slots, heads, key width, value width], float32 or float64
    Tensor window;                   ///< [slots, window, channels], the last one last
    std::vector<Tensor> sides = {};  ///< [slots, rows, width]
  };
  std::vector<Layer> layers;
  std::vector<int64_t> lengths;               ///< per slot: entries filled so far
  int64_t capacity = 0;                       ///< most entries of a slot
  std::shared_ptr<const KvPages> pages = {};  ///< null: page s is slot s's, and its only one

  KvCache(const Shape& shape, int64_t slots, int64_t capacity, at::TensorOptions options,
          std::shared_ptr<const KvPages> pages = {});

  /// Bytes of a page in all layers.
  int64_t page_bytes() const;
  /// Makes so many pages of keys and values, with what the present ones hold. c10::OutOfMemoryError
  /// leaves them as they are, some perhaps with more beside them.
  void grow(int64_t count);

  /// Whether one pass may begin sequences and continue others: where every layer keeps keys and
  /// values alone.
  bool mixes() const;
};

}  // namespace alambic
