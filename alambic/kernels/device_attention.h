// Attention of packed sequences by the operator that an accelerator's libtorch has for it:
// FlashAttention-2 (arXiv 2307.08691), all sequences of a pass in one launch, no scores kept.
#pragma once

#include "alambic/kernels/attention.h"

namespace alambic::kernels::on_device {

/// Whether the device's libtorch has the operator and its card computes it (compute capability 8.0
/// and newer). The first call for a device tries it.
bool has_flash_attention(at::Device device);

/// Whether packed_attention below takes these: bfloat16 or float16, heads of at most 256, no
/// soft-cap, a device that has_flash_attention.
bool takes_packed_attention(const Tensor& q_MHd, const Tensor& k_NKd, const Tensor& v_NKd,
                            const AttentionOptions& options);

/// What attention.h says of it. Sums are float32, the result and gradients are rounded once, with
/// sinks the result twice. Gradients of queries are added in the order in which the card's blocks
/// come, unless at::globalContext().deterministicAlgorithms().
Tensor packed_attention(const Tensor& q_MHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const PackedOffsets& offsets, const AttentionOptions& options);

}  // namespace alambic::kernels::on_device
