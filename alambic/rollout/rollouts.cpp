#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/rollout/engine.h"

namespace alambic {

Rollouts to_rollouts(std::span<const Request> requests, std::span<const Answer> answers,
                     int64_t policy_step, at::Device device) {
  check(requests.size() == answers.size(), "{} requests with {} answers", requests.size(),
        answers.size());
  Packed packed{.tokens_N = {}, .offsets = {0}};
  for (size_t s = 0; s < requests.size(); ++s) {
    packed.offsets.push_back(packed.offsets.back() + std::ssize(requests[s].prompt) +
                             std::ssize(answers[s].tokens));
  }
  packed.tokens_N = at::empty({packed.positions()}, at::kLong);
  const Tensor answer_N = at::zeros({packed.positions()}, at::kBool);
  const Tensor logp_N = at::zeros({packed.positions()}, at::kFloat);
  const bool weighted =
      std::ranges::any_of(answers, [](const Answer& a) { return !a.weights.empty(); });
  const Tensor weight_N = weighted ? at::ones({packed.positions()}, at::kFloat) : Tensor();
  for (size_t s = 0; s < requests.size(); ++s) {
    const int64_t begin = packed.offsets[s], written = begin + std::ssize(requests[s].prompt);
    std::ranges::copy(requests[s].prompt, packed.tokens_N.data_ptr<int64_t>() + begin);
    std::ranges::copy(answers[s].tokens, packed.tokens_N.data_ptr<int64_t>() + written);
    std::ranges::copy(answers[s].logp, logp_N.data_ptr<float>() + written);
    if (weighted) {
      std::ranges::copy(answers[s].weights, weight_N.data_ptr<float>() + written);
    }
    std::fill_n(answer_N.data_ptr<bool>() + written, answers[s].tokens.size(), true);
  }
  packed.tokens_N = packed.tokens_N.to(device);
  return {.sequences = std::move(packed),
          .answer_N = answer_N.to(device),
          .logp_N = logp_N.to(device),
          .weight_N = weighted ? weight_N.to(device) : Tensor(),
          .policy_step = policy_step};
}

}  // namespace alambic
