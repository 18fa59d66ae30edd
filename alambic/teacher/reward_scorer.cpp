#include "alambic/teacher/reward_scorer.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/text/chat/continuation.h"

namespace alambic {

std::vector<Attempt> attempts_of(const Rollouts& rollouts, const Tokenizer& tokenizer) {
  const Packed& packed = rollouts.sequences;
  const Tensor tokens_N = packed.tokens_N.to(at::kCPU, at::kInt).contiguous();
  const Tensor completion_mask_N = rollouts.completion_mask_N.cpu();
  std::vector<Attempt> attempts;
  for (int64_t s = 0; s < packed.sequences(); ++s) {
    const auto length = static_cast<size_t>(packed.length(s));
    const std::span tokens(tokens_N.const_data_ptr<int32_t>() + packed.offsets[s], length);
    const std::span graded(completion_mask_N.const_data_ptr<bool>() + packed.offsets[s], length);
    const size_t prompt = std::ranges::find(graded, true) - graded.begin();
    attempts.push_back(
        {.prompt = tokenizer.decode(tokens.first(prompt), true),
         .completion = continuation(tokenizer, tokens.first(prompt), tokens.subspan(prompt))});
  }
  return attempts;
}

TextRewardScorer::TextRewardScorer(std::shared_ptr<const Reward> reward, const Tokenizer& tokenizer,
                                   std::vector<std::vector<std::string>> expected)
    : reward_(std::move(reward)), tokenizer_(tokenizer), expected_(std::move(expected)) {}

std::vector<Score> TextRewardScorer::score(const Rollouts& rollouts) const {
  std::vector<Attempt> attempts = attempts_of(rollouts, tokenizer_);
  check(rollouts.row_S.size() == attempts.size(), "{} rows for {} sequences", rollouts.row_S.size(),
        attempts.size());
  for (size_t s = 0; s < attempts.size(); ++s) {
    attempts[s].expect(expected_.at(rollouts.row_S[s]));
  }
  return reward_->score(attempts);
}

}  // namespace alambic
