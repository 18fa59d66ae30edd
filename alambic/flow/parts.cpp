#include "alambic/flow/parts.h"

namespace alambic {

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

}  // namespace alambic
