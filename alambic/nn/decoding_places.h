#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Where the new token of each running sequence belongs, as tensors on the models' device, so that
/// a pass of decoding uploads nothing.
struct DecodingPlaces {
  Tensor slots_B;      ///< int64
  Tensor pages_BP;     ///< int64: pages of the slot's keys and values, in order
  Tensor positions_B;  ///< int64: entries already in the slot
  /// At least the entries that each slot has behind the pass, where one recording is to serve
  /// sequences of several lengths (kernels/device_graph.h). 0: the pass counts them.
  int64_t longest = 0;
};

/// Passes that this thread makes while it lives decode at these places.
class DecodeAt {
 public:
  explicit DecodeAt(const DecodingPlaces& places);
  ~DecodeAt();
  DecodeAt(const DecodeAt&) = delete;
  DecodeAt& operator=(const DecodeAt&) = delete;

 private:
  const DecodingPlaces* before_;
};

/// Those places; null: none, the pass has them on the host alone.
const DecodingPlaces* decoding_places();

}  // namespace alambic
