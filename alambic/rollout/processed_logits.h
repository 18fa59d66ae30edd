#pragma once

#include <span>
#include <vector>

#include "alambic/rollout/sampling.h"

namespace alambic {

/// A row of logits [V] after the processors of `sampling`, with the values that transformers'
/// RepetitionPenaltyLogitsProcessor, SuppressTokensLogitsProcessor and
/// SuppressTokensAtBeginLogitsProcessor give: each token of prompt or completion once, its logit
/// divided by the penalty, or multiplied where it is negative; suppressed tokens get the lowest
/// float (there: −∞). A bias is added behind the penalty, as OpenAI's logit_bias. Ids outside of
/// the row are passed over.
std::vector<float> processed_logits(std::span<const float> logits_V, const Sampling& sampling,
                                    std::span<const int32_t> prompt,
                                    std::span<const int32_t> completion);

}  // namespace alambic
