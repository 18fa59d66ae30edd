#include "alambic/teacher/scoring.h"

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

ScoringTeacher::ScoringTeacher(std::shared_ptr<const Reward> reward, const Tokenizer& tokenizer,
                               std::vector<std::optional<std::string>> expected, double max_dropped)
    : reward_(std::move(reward)),
      tokenizer_(tokenizer),
      expected_(std::move(expected)),
      max_dropped_(max_dropped) {}

TeacherOutput ScoringTeacher::evaluate(const Rollouts& rollouts) const {
  std::vector<Attempt> attempts = attempts_of(rollouts, tokenizer_);
  check(rollouts.row_S.size() == attempts.size(), "{} rows for {} sequences", rollouts.row_S.size(),
        attempts.size());
  for (size_t s = 0; s < attempts.size(); ++s) {
    attempts[s].expected = expected_.at(rollouts.row_S[s]);
  }
  const std::vector<Score> scores = reward_->score(attempts);
  count(scores);
  std::vector<float> values;
  for (const Score& score : scores) values.push_back(score.value);
  return {.score_S = at::tensor(values, at::kFloat).to(rollouts.sequences.tokens_N.device())};
}

void ScoringTeacher::count(const std::vector<Score>& scores) const {
  constexpr int64_t enough = 20;
  std::string reason;
  for (const Score& score : scores) {
    ++scored_;
    if (score.dropped.empty()) continue;
    ++dropped_;
    reason = score.dropped;
  }
  if (reason.empty() || scored_ < enough) return;
  const double share = static_cast<double>(dropped_) / static_cast<double>(scored_);
  if (share <= max_dropped_) return;
  throw input_error(
      "{} of {} completions got no score, more than the {:.0f} % allowed; the last one: {}",
      dropped_, scored_, 100 * max_dropped_, reason)
      .with_hint("try the reward by hand on a completion of samples.jsonl");
}

}  // namespace alambic
