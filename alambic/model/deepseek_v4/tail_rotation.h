#pragma once

#include "alambic/nn/rope.h"

namespace alambic {

/// Turns the last entries of each head, as many as the rotation has, stored in pairs
/// (DeepSeek-V4); x is [N, H, d].
Tensor rotate_tail(const Tensor& x_NHd, const Rotation& rotation);

}  // namespace alambic
