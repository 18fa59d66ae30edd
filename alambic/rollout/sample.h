#pragma once

#include <span>
#include <utility>
#include <vector>

#include "alambic/rollout/sampling.h"

namespace alambic {

struct Drawn {
  int32_t token = 0;
  float logp = 0;  ///< see Completion::logp
};

/// Draws a token from float32 logits with `coin` uniform in [0, 1): the token whose interval of
/// the filtered and renormalized cumulative distribution, in the order of token ids, holds the
/// coin. Pure: the same logits and coin give the same token. Non-finite logits are an error.
Drawn sample(std::span<const float> logits_V, const Sampling& sampling, double coin);

/// log softmax(logits / temperature)[token]; at temperature 0 of the logits themselves.
float log_probability(std::span<const float> logits_V, double temperature, int32_t token);

/// The `count` most likely tokens with their log softmax(logits), falling, of equal ones the lower
/// id first. `logp` of any `token` is known already, from which the others' follow.
std::vector<std::pair<int32_t, float>> most_likely(std::span<const float> logits_V, int64_t count,
                                                   int32_t token, float logp);

}  // namespace alambic
