#pragma once

#include "alambic/nn/attention.h"
#include "alambic/nn/norm.h"
#include "alambic/nn/rope.h"

namespace alambic {

/// Heads of one projection, [N, heads, d], on their way to attention.
struct Heads {
  Tensor x_NHd;
  const RmsNorm* norm = nullptr;  ///< of each head, before it turns; null: none
};

/// attend() of heads that are normed and turned first: one operator after another, or two kernels
/// where a device that has them decodes. Returns [N, H · d].
Tensor attend(const Heads& q, const Heads& k, const Tensor& v_NKd, const Rotation& rotation,
              const Pass& pass, int64_t layer, const AttentionOptions& options);

}  // namespace alambic
