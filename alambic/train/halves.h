// Halves of what passes through a model together, by whole sequences.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "alambic/train/completions.h"
#include "alambic/train/next_token.h"

namespace alambic {

/// Both halves of a micro-batch of at least two sequences. What teachers and the reference said of
/// it is left out, and asked again.
std::pair<MicroBatch, MicroBatch> halves(const MicroBatch& batch);
std::pair<TokenBatch, TokenBatch> halves(const TokenBatch& batch);

inline int64_t sequences_of(const MicroBatch& batch) {
  return batch.rollouts.sequences.sequences();
}
inline int64_t sequences_of(const TokenBatch& batch) { return batch.input.sequences(); }

/// Sequences of the largest batch.
template <class Batch>
int64_t largest_of(const std::vector<Batch>& batches) {
  int64_t largest = 0;
  for (const Batch& batch : batches) largest = std::max(largest, sequences_of(batch));
  return largest;
}

/// Halves every batch that has as many sequences as the largest, until all have at most half of
/// them. The number of sequences that a batch may have then; 0 where none has two.
template <class Batch>
int64_t halve_largest(std::vector<Batch>& batches) {
  const int64_t largest = largest_of(batches);
  if (largest < 2) return 0;
  const int64_t limit = (largest + 1) / 2;
  std::vector<Batch> smaller;
  for (Batch& batch : batches) {
    if (sequences_of(batch) <= limit) {
      smaller.push_back(std::move(batch));
      continue;
    }
    auto [first, second] = halves(batch);
    smaller.push_back(std::move(first));
    smaller.push_back(std::move(second));
  }
  batches = std::move(smaller);
  return limit;
}

}  // namespace alambic
