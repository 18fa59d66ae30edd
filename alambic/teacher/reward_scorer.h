// Scores of sampled completions. A reward is no teacher: it says nothing about single tokens.
#pragma once

#include <memory>
#include <optional>

#include "alambic/flow/rollouts.h"
#include "alambic/teacher/reward.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// Scores of the completions of some rollouts; no memory: the same rollouts get the same scores.
struct RewardScorer {
  virtual ~RewardScorer() = default;
  /// One score a sequence, in their order. Rollouts must say their rows (row_S).
  virtual std::vector<Score> score(const Rollouts& rollouts) const = 0;
};

/// A Reward over the texts of prompts and completions.
class TextRewardScorer : public RewardScorer {
 public:
  /// `expected`: by row of the data set. The tokenizer must outlive the scorer.
  TextRewardScorer(std::shared_ptr<const Reward> reward, const Tokenizer& tokenizer,
                   std::vector<std::vector<std::string>> expected);

  std::vector<Score> score(const Rollouts& rollouts) const override;

 private:
  std::shared_ptr<const Reward> reward_;
  const Tokenizer& tokenizer_;
  std::vector<std::vector<std::string>> expected_;
};

/// The texts of every sequence's prompt and completion, special tokens left out.
std::vector<Attempt> attempts_of(const Rollouts& rollouts, const Tokenizer& tokenizer);

}  // namespace alambic
