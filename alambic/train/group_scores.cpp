#include "alambic/train/group_scores.h"

#include <algorithm>
#include <iterator>

#include "alambic/base/error.h"
#include "alambic/train/rank_exchange.h"

namespace alambic {
namespace {

/// Which sequence each graded token belongs to. int64, M entries.
Tensor sequence_of_M(const Rollouts& rollouts) {
  const auto& offsets = rollouts.sequences.offsets;
  std::vector<int64_t> lengths;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) lengths.push_back(offsets[s + 1] - offsets[s]);
  const Tensor sequence_N =
      at::repeat_interleave(at::tensor(lengths, at::kLong).to(rollouts.completion_mask_N.device()));
  return sequence_N.index_select(0, rollouts.loss_positions_M() + 1);
}

}  // namespace

void score_completions(const RewardScorer& reward, const World& world, DroppedScores& dropped,
                       int64_t size, AdvantageKind kind, StepBatch& completions,
                       StepReport& report) {
  std::vector<Score> own;
  for (const MicroBatch& batch : completions.micro_batches) {
    std::vector<Score> found = reward.score(batch.rollouts);
    check(std::ssize(found) == batch.rollouts.sequences.sequences(), "{} scores of {} completions",
          found.size(), batch.rollouts.sequences.sequences());
    std::ranges::move(found, std::back_inserter(own));
  }
  const std::vector<Score> all_scored = all_scores(world, std::move(own));
  dropped.count(all_scored);
  std::vector<float> scores;
  for (const Score& score : all_scored) scores.push_back(score.value);
  const GroupAdvantages found = group_advantages(scores, size, kind);
  const Tensor advantages = at::tensor(found.advantages, at::kDouble);
  int64_t first = world.begin(completions.sequences / size) * size;
  for (MicroBatch& batch : completions.micro_batches) {
    const int64_t count = batch.rollouts.sequences.sequences();
    const Tensor sequence_M = sequence_of_M(batch.rollouts);
    batch.advantage_M =
        advantages.narrow(0, first, count).to(sequence_M.device()).index_select(0, sequence_M);
    first += count;
  }
  const auto all = static_cast<double>(scores.size());
  const double groups = all / static_cast<double>(size);
  report.extra.insert(report.extra.end(),
                      {{"reward", found.mean},
                       {"reward_std", found.deviation},
                       {"dropped_share", static_cast<double>(found.dropped) / all},
                       {"equal_share", static_cast<double>(found.equal) / groups}});
}

void divide_by_longest(const StepBatch& completions, int64_t longest, Policy& policy) {
  for (PolicyTerm& term : policy.terms) {
    if (term.kind == PolicyKind::grpo) {
      term.weight *= static_cast<double>(completions.tokens) /
                     static_cast<double>(completions.sequences * longest);
    }
  }
}

}  // namespace alambic
