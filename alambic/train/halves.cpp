#include "alambic/train/halves.h"

#include "alambic/base/error.h"
#include "alambic/flow/parts.h"

namespace alambic {

std::pair<MicroBatch, MicroBatch> halves(const MicroBatch& batch) {
  const int64_t all = sequences_of(batch), middle = (all + 1) / 2;
  check(all > 1, "half of {} sequences", all);
  MicroBatch first{.rollouts = part_of(batch.rollouts, 0, middle)};
  MicroBatch second{.rollouts = part_of(batch.rollouts, middle, all)};
  if (batch.advantage_M.defined()) {
    const int64_t graded = first.rollouts.completion_mask_N.sum().item<int64_t>();
    first.advantage_M = batch.advantage_M.narrow(0, 0, graded);
    second.advantage_M = batch.advantage_M.narrow(0, graded, batch.advantage_M.size(0) - graded);
  }
  return {std::move(first), std::move(second)};
}

std::pair<TokenBatch, TokenBatch> halves(const TokenBatch& batch) {
  const int64_t all = sequences_of(batch), middle = (all + 1) / 2;
  check(all > 1, "half of {} sequences", all);
  const int64_t begin = batch.input.offsets[middle];
  const int64_t graded = (batch.loss_positions_M < begin).sum().item<int64_t>();
  const int64_t rest = batch.targets_M.size(0) - graded;
  return {
      {part_of(batch.input, 0, middle), batch.loss_positions_M.narrow(0, 0, graded),
       batch.targets_M.narrow(0, 0, graded)},
      {part_of(batch.input, middle, all), batch.loss_positions_M.narrow(0, graded, rest) - begin,
       batch.targets_M.narrow(0, graded, rest)}};
}

}  // namespace alambic
