// Top-k, top-p and min-p, with the meaning that transformers' logits warpers give them.
#pragma once

#include <cstdint>

#include "alambic/rollout/sampling.h"
#include "alambic/rollout/weights.h"

namespace alambic {

/// Tokens that may be drawn, in the order of their ids, with their weights.
struct Kept {
  std::vector<int32_t> tokens;
  std::vector<float> weights;
};

/// The tokens that the filters leave, at least the most likely one. Applied in this order, to
/// weights at the temperature (above 0), each to what the one before left:
///   top-k: a token stays when no k tokens have larger logits; ties of the k-th all stay.
///   top-p: tokens in the order of falling logits, of equal ones the lower id first (transformers
///          leaves that to an unstable sort); a token stays while those before it hold less than
///          the share p of all that is left.
///   min-p: a token stays when its weight is at least p times the largest.
/// Comparisons are made on raw logits and double sums, transformers' on float32 quotients: a token
/// within 1e-6 of a threshold may fall on the other side.
/// `total` is the sum of all weights of the row.
Kept filter(const Scan& scan, const Sampling& sampling, double total);

/// True when some filter of `sampling` is on.
bool filters(const Sampling& sampling);

}  // namespace alambic
