#pragma once

#include "alambic/flow/packed.h"
#include "alambic/nn/kv_cache.h"
#include "alambic/nn/layer_outputs.h"

namespace alambic {

/// One pass of packed sequences through a model. Without a cache: a plain forward, for training and
/// grading. With a cache: sequence s continues slot slots[s], its keys and values are stored, and
/// the caller calls finish() after the last layer.
struct Pass {
  const Packed& input;
  KvCache* cache = nullptr;
  std::vector<int64_t> slots = {};
  std::vector<int64_t> starts = {};  ///< entries already in each sequence's slot
  Tensor positions_N = {};           ///< int64: position of each token in its own sequence
  LayerOutputs* outputs = nullptr;   ///< hidden states to hand out; null: none

  explicit Pass(const Packed& input);
  Pass(const Packed& input, KvCache& cache, std::vector<int64_t> slots);

  /// Pass with one new token for each of the running sequences.
  bool decodes() const;
  /// Models call it behind each layer.
  void show(int64_t layer, const Tensor& x_ND) const {
    if (outputs != nullptr) outputs->see(layer, x_ND);
  }
  /// Counts the new entries in the cache.
  void finish();
};

}  // namespace alambic
