#include "alambic/train/halves.h"

#include "alambic/base/error.h"

namespace alambic {

namespace {

// Sequences first … last − 1.
Packed part_of(const Packed& packed, int64_t first, int64_t last) {
  const int64_t begin = packed.offsets[first];
  Packed part{.tokens_N = packed.tokens_N.narrow(0, begin, packed.offsets[last] - begin),
              .offsets = {}};
  for (int64_t s = first; s <= last; ++s) part.offsets.push_back(packed.offsets[s] - begin);
  return part;
}

Rollouts part_of(const Rollouts& rollouts, int64_t first, int64_t last) {
  const std::vector<int64_t>& offsets = rollouts.sequences.offsets;
  const auto of_positions = [&](const Tensor& x_N) {
    return x_N.defined() ? x_N.narrow(0, offsets[first], offsets[last] - offsets[first]) : x_N;
  };
  Rollouts part{.sequences = part_of(rollouts.sequences, first, last),
                .completion_mask_N = of_positions(rollouts.completion_mask_N),
                .logp_N = of_positions(rollouts.logp_N),
                .weight_N = of_positions(rollouts.weight_N),
                .policy_step = rollouts.policy_step};
  if (!rollouts.row_S.empty()) {
    part.row_S.assign(rollouts.row_S.begin() + first, rollouts.row_S.begin() + last);
  }
  return part;
}

}  // namespace

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
