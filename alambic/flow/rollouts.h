#pragma once

#include "alambic/flow/packed.h"

namespace alambic {

/// Prompts with their completions, written by the student or given by the data. The tokens that are
/// graded are those the student chose (or should choose): completion_mask_N is true on them, the
/// end-of-text token included, and false on the prompt.
struct Rollouts {
  Packed sequences;
  Tensor completion_mask_N;  ///< bool
  Tensor logp_N;             ///< float32: the sampler's log-probability of the token; 0 where
                             ///< !completion_mask_N or where the completion was given by the data
  Tensor weight_N;  ///< float32: the student's probability of the token over that of the mixture
                    ///< with the teacher which drew it; undefined: 1, the student alone drew
  int64_t policy_step = 0;     ///< optimizer steps behind the weights that sampled
  std::vector<int64_t> row_S;  ///< row of the data set that each sequence completes; empty:
                               ///< not needed downstream

  /// Positions whose next token is graded, in order: n with completion_mask_N[n + 1]. int64, M
  /// entries. Row m of a student's or teacher's hidden_MD is the hidden state at that position.
  Tensor loss_positions_M() const {
    const int64_t N = completion_mask_N.size(0);
    return completion_mask_N.narrow(0, 1, N - 1).nonzero().squeeze(1);
  }
  /// The graded tokens themselves. int64, M entries.
  Tensor targets_M() const { return sequences.tokens_N.index({loss_positions_M() + 1}); }
};

}  // namespace alambic
