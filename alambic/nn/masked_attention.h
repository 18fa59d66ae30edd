#pragma once

#include "alambic/kernels/attention.h"

namespace alambic {

/// Attention of T queries of H heads to those of M entries that `seen_TM` (bool) shows them. An
/// entry is key and value of every head. Every query must see an entry or have a sink. Softmax in
/// float32; of `options` scale and sinks count. Differentiable in q, entries and sinks; scores of
/// all pairs are kept for that. Returns [T, H, d].
Tensor masked_attention(const Tensor& q_THd, const Tensor& entry_Md, const Tensor& seen_TM,
                        const kernels::AttentionOptions& options);

}  // namespace alambic
