#include "alambic/objective/returns.h"

#include "alambic/base/error.h"

namespace alambic {

std::vector<int64_t> graded_lengths(const Rollouts& rollouts) {
  const Tensor completion_mask_N = rollouts.completion_mask_N.cpu();
  const auto& offsets = rollouts.sequences.offsets;
  std::vector<int64_t> lengths;
  for (int64_t s = 0; s < rollouts.sequences.sequences(); ++s) {
    const Tensor part = completion_mask_N.narrow(0, offsets[s], rollouts.sequences.length(s));
    lengths.push_back(part.sum().item<int64_t>());
  }
  return lengths;
}

Tensor returns_M(const Tensor& reward_M, const std::vector<int64_t>& lengths, bool normalize) {
  const Tensor reward = reward_M.detach().to(at::kCPU, at::kDouble).contiguous();
  const Tensor result = at::zeros_like(reward);
  const double* rewards = reward.const_data_ptr<double>();
  auto* returns = result.data_ptr<double>();
  int64_t begin = 0;
  for (const int64_t length : lengths) {
    check(begin + length <= reward.numel(), "{} rewards for longer answers", reward.numel());
    double sum = 0;
    for (int64_t after = 1; after < length; ++after) {
      const int64_t token = begin + length - 1 - after;
      sum += rewards[token + 1];
      returns[token] = normalize ? sum / static_cast<double>(after) : sum;
    }
    begin += length;
  }
  check(begin == reward.numel(), "{} rewards for {} tokens", reward.numel(), begin);
  return result.to(reward_M.device());
}

}  // namespace alambic
