#include "alambic/rollout/processed_logits.h"

#include <limits>

namespace alambic {

std::vector<float> processed_logits(std::span<const float> logits_V, const Sampling& sampling,
                                    std::span<const int32_t> prompt,
                                    std::span<const int32_t> completion) {
  std::vector<float> processed(logits_V.begin(), logits_V.end());
  const auto is_there = [&](int32_t token) { return token >= 0 && token < std::ssize(processed); };
  if (sampling.repetition_penalty != 1) {
    const auto penalty = static_cast<float>(sampling.repetition_penalty);
    for (const std::span<const int32_t> tokens : {prompt, completion}) {
      for (const int32_t token : tokens) {
        if (!is_there(token)) continue;
        const float logit = logits_V[static_cast<size_t>(token)];
        processed[static_cast<size_t>(token)] = logit < 0 ? logit * penalty : logit / penalty;
      }
    }
  }
  for (const std::pair<int32_t, float>& bias : sampling.logit_bias) {
    if (is_there(bias.first)) processed[static_cast<size_t>(bias.first)] += bias.second;
  }
  const auto suppress = [&](const std::vector<int32_t>& tokens) {
    for (const int32_t token : tokens) {
      if (is_there(token))
        processed[static_cast<size_t>(token)] = std::numeric_limits<float>::lowest();
    }
  };
  suppress(sampling.suppressed);
  if (completion.empty()) suppress(sampling.suppressed_at_first);
  return processed;
}

}  // namespace alambic
