#pragma once

#include "alambic/flow/head.h"

namespace alambic {

/// Logits of hidden states, whole: [N, D] to [N, V], in the dtype of both. For a few rows of them;
/// objectives make theirs in chunks.
Tensor head_logits(const Head& head, const Tensor& hidden_ND);

/// The head for hidden states in float32, as a constant.
Head wide_head(const Head& head);

}  // namespace alambic
