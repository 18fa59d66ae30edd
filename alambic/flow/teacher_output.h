#pragma once

#include "alambic/flow/head.h"

namespace alambic {

/// A teacher's grade of every completion token of some Rollouts, in one of these forms. Row m
/// stands for the m-th graded position (Rollouts::loss_positions_M), entry s for the s-th sequence.
/// No gradient.
struct TeacherOutput {
  /// The hidden state from which the distribution over the whole vocabulary follows exactly.
  Tensor hidden_MD;  ///< any floating dtype
  Head head;
  /// What lies behind the teacher's layers that were asked for, in that order; [M, D] each.
  std::vector<Tensor> layers_MD;

  /// The K most likely tokens and their log-probabilities; the rest of the mass is the tail.
  Tensor topk_logp_MK;  ///< float32, falling
  Tensor token_MK;      ///< int64

  /// One number for a whole completion, from a judge or a verifier; NaN: not to be learned from.
  Tensor score_S;  ///< float32
};

}  // namespace alambic
