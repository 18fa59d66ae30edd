#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Log-probabilities of a mixture of two models and of the first alone, float32.
struct Mixture {
  Tensor mixed_BV, own_BV;
};

/// `mixed_BV`: logits of the model that has this share.
Mixture mixture(const Tensor& own_BV, const Tensor& mixed_BV, double share, double temperature);

}  // namespace alambic
