#pragma once

#include "alambic/dist/layer_weights.h"

namespace alambic {

/// The layers of a model for who reads their weights, one at a time and in any order: each is whole
/// from at() to the next one's.
class LayerStream {
 public:
  enum class Readers {
    first,  ///< rank 0 alone; the others of its copy call LayerWeights::follow_stream() meanwhile
    all     ///< all ranks, in the same order
  };
  /// Null: all weights are here.
  explicit LayerStream(LayerWeights* weights, Readers readers = Readers::first)
      : weights_(weights), readers_(readers) {}
  /// Tells the others that the reading is over, unless an error ends it.
  ~LayerStream() noexcept(false);
  LayerStream(const LayerStream&) = delete;
  LayerStream& operator=(const LayerStream&) = delete;

  /// Makes the layer whole; −1, what lies outside of the layers, is.
  void at(int64_t layer);

 private:
  void leave();

  LayerWeights* weights_;
  Readers readers_;
  int64_t layer_ = -1;
};

}  // namespace alambic
