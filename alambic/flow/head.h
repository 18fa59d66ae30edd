#pragma once

#include "alambic/tensor/weight.h"

namespace alambic {

/// Map from hidden states to logits. It travels with the hidden states so that logits are made
/// in chunks inside an objective and [N, V] never exists.
///   logits = softcap · tanh(u / softcap) or u,  u = scale · (hidden · weightᵀ + bias)
struct Head {
  Weight weight_VD;
  Tensor bias_V;       ///< undefined: none
  double scale = 1;    ///< Cohere's and Granite's logit scale
  double softcap = 0;  ///< Gemma 2's; 0: none

  /// The head over the first `size` tokens: models pad their vocabulary, tokenizers do not.
  Head cut(int64_t size) const { return piece(0, size); }
  /// The head over `count` tokens from `begin` on.
  Head piece(int64_t begin, int64_t count) const {
    Head head = *this;
    head.weight_VD = weight_VD.piece(begin, count);
    if (bias_V.defined()) head.bias_V = bias_V.narrow(0, begin, count);
    return head;
  }
  int64_t vocabulary() const { return weight_VD.size(0); }
};

}  // namespace alambic
