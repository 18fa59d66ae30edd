// What changes logits before a draw, on the device that made them.
#pragma once

#include <span>
#include <vector>

#include "alambic/rollout/sampling.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// The processors of a sampling (processed_logits.h, with the same values) for the slots of one
/// generation. Which tokens a slot's sequence has had stays on the device: nothing is uploaded or
/// read between begin() and begin(), so that a pass can be recorded. It holds slots · vocabulary
/// bytes where there is a repetition penalty.
class DeviceProcessors {
 public:
  /// `sampling` changes logits; rows of logits have `vocabulary` numbers.
  DeviceProcessors(const Sampling& sampling, int64_t slots, int64_t vocabulary, at::Device device);

  struct Begins {
    int64_t slot;
    std::vector<int32_t> tokens;  ///< prompt, and what has been drawn already
  };
  /// Sequences that take slots of others.
  void begin(std::span<const Begins> sequences);

  /// The logits [B, V] of sequences in these slots, float32, as the next draw sees them. `first_B`
  /// (int64): 1 where it is the completion's first; undefined: nowhere.
  Tensor processed(const Tensor& logits_BV, const Tensor& slots_B, const Tensor& first_B) const;

  /// After the draw of `token_B` (int64) from processed logits: the slots have had the tokens, and
  /// the probabilities in `numbers` ([2, B], DrawnNumbers) become those of `logits_BV`, the model's
  /// own, unless they are not finite.
  void drawn(const Tensor& logits_BV, const Tensor& slots_B, const Tensor& token_B,
             const Tensor& numbers);

 private:
  Tensor mask_of(const std::vector<int32_t>& tokens) const;
  /// Places in seen_SV_ as one row of numbers.
  void see(const Tensor& place_N) { seen_SV_.view({-1}).index_fill_(0, place_N, 1); }

  double temperature_;
  int64_t vocabulary_;
  at::Device device_;
  Tensor penalty_;            // float32, one number; else undefined
  Tensor seen_SV_;            // bool, with a penalty
  Tensor bias_V_;             // float32, or undefined
  Tensor never_V_, begin_V_;  // bool, or undefined: tokens that are not drawn, or not first
};

}  // namespace alambic
