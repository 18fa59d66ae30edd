#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/rollout/engine.h"

namespace alambic {

Rollouts to_rollouts(std::span<const Request> requests, std::span<const Completion> completions,
                     int64_t policy_step, at::Device device) {
  check(requests.size() == completions.size(), "{} requests with {} answers", requests.size(),
        completions.size());
  Packed packed{.tokens_N = {}, .offsets = {0}};
  for (size_t s = 0; s < requests.size(); ++s) {
    packed.offsets.push_back(packed.offsets.back() + std::ssize(requests[s].prompt) +
                             std::ssize(completions[s].tokens));
  }
  packed.tokens_N = at::empty({packed.positions()}, at::kLong);
  const Tensor completion_mask_N = at::zeros({packed.positions()}, at::kBool);
  const Tensor logp_N = at::zeros({packed.positions()}, at::kFloat);
  const bool weighted =
      std::ranges::any_of(completions, [](const Completion& a) { return !a.weights.empty(); });
  const Tensor weight_N = weighted ? at::ones({packed.positions()}, at::kFloat) : Tensor();
  for (size_t s = 0; s < requests.size(); ++s) {
    const int64_t begin = packed.offsets[s], written = begin + std::ssize(requests[s].prompt);
    std::ranges::copy(requests[s].prompt, packed.tokens_N.data_ptr<int64_t>() + begin);
    std::ranges::copy(completions[s].tokens, packed.tokens_N.data_ptr<int64_t>() + written);
    std::ranges::copy(completions[s].logp, logp_N.data_ptr<float>() + written);
    if (weighted) {
      std::ranges::copy(completions[s].weights, weight_N.data_ptr<float>() + written);
    }
    std::fill_n(completion_mask_N.data_ptr<bool>() + written, completions[s].tokens.size(), true);
  }
  packed.tokens_N = packed.tokens_N.to(device);
  return {.sequences = std::move(packed),
          .completion_mask_N = completion_mask_N.to(device),
          .logp_N = logp_N.to(device),
          .weight_N = weighted ? weight_N.to(device) : Tensor(),
          .policy_step = policy_step};
}

}  // namespace alambic
