#pragma once

#include <span>

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

}  // namespace alambic
