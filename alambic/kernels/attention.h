#pragma once

#include "alambic/kernels/packed_offsets.h"

namespace alambic::kernels {

/// Options of attention in which families differ.
struct AttentionOptions {
  double scale = 1;     ///< factor of the scores, usually 1 / sqrt(d)
  int64_t window = 0;   ///< a position sees the last `window`, itself among them; 0: all
  double softcap = 0;   ///< scores s become softcap · tanh(s / softcap) (Gemma 2); 0: none
  Tensor sinks_H = {};  ///< a score per head that takes part in the softmax and has no value
                        ///< (gpt-oss); undefined: none
};

/// Causal attention of packed sequences: position n sees the positions of its own sequence up to
/// itself. Query head h reads key/value head h / (H / K) (grouped queries, arXiv 2305.13245).
/// Softmax in float32. Differentiable in q, k, v and the sinks. Where sequences have fewer queries
/// than positions, queries get bit for bit what they get where all positions have one, but for a
/// device's FlashAttention (device_attention.h). Returns [M, H, d].
Tensor packed_attention(const Tensor& q_MHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const PackedOffsets& offsets, const AttentionOptions& options);

/// The same with a query at every position. Returns [N, H, d].
Tensor packed_attention(const Tensor& q_NHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const std::vector<int64_t>& offsets, const AttentionOptions& options);

/// Attention of one query per running sequence over its cache; no gradient.
/// `keys`, `values`: [slots, K, capacity, d], one layer of a KvCache. Query b belongs to slot
/// `slots[b]` and sees its first `lengths[b]` entries. Returns [B, H, d].
Tensor cached_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                        const std::vector<int64_t>& slots, const std::vector<int64_t>& lengths,
                        const AttentionOptions& options);

/// Copies the rows of k_NKd (or v) of sequence s to entries starts[s]... of slot slots[s].
void write_cache(const Tensor& rows_NKd, const std::vector<int64_t>& offsets, const Tensor& cache,
                 const std::vector<int64_t>& slots, const std::vector<int64_t>& starts);

}  // namespace alambic::kernels
