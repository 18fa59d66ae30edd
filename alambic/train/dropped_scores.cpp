#include "alambic/train/dropped_scores.h"

#include "alambic/base/error.h"

namespace alambic {

void DroppedScores::count(const std::vector<Score>& scores) {
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
  if (share <= max_share_) return;
  throw input_error(
      "{} of {} completions got no score, more than the {:.0f} % allowed; the last one: {}",
      dropped_, scored_, 100 * max_share_, reason)
      .with_hint("try the reward by hand on a completion of samples.jsonl");
}

}  // namespace alambic
