#pragma once

#include "alambic/dist/layer_weights.h"

namespace alambic {

/// The layers of a model for one rank that reads them in their order, once, to write them: each is
/// whole from at() to the next one's. The others call LayerWeights::bring_all() meanwhile.
class LayerStream {
 public:
  /// Null: all weights are here.
  explicit LayerStream(LayerWeights* weights) : weights_(weights) {}
  /// Comes to the end, which the others wait for, unless an error ends the reading.
  ~LayerStream() noexcept(false);
  LayerStream(const LayerStream&) = delete;
  LayerStream& operator=(const LayerStream&) = delete;

  /// Makes the layer whole; −1, what lies outside of the layers, is. None before the last one.
  void at(int64_t layer);

 private:
  void next();

  LayerWeights* weights_;
  int64_t layer_ = -1;
};

}  // namespace alambic
