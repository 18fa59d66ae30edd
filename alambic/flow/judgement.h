#pragma once

#include "alambic/flow/head.h"

namespace alambic {

/// A teacher's grade of every answer token of some Rollouts: the hidden state from which its
/// distribution over the whole vocabulary follows exactly. Row m stands for the m-th graded
/// position (Rollouts::graded_M). No gradient.
struct Judgement {
  Tensor hidden_MD;  ///< any floating dtype
  Head head;
};

}  // namespace alambic
