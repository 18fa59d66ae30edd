#pragma once

#include <vector>

#include "alambic/tensor/tensor.h"

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
/// `offsets` has S + 1 entries, sequence s being [offsets[s], offsets[s + 1]). Softmax in float32.
/// Differentiable in q, k, v and the sinks. Returns [N, H, d].
Tensor packed_attention(const Tensor& q_NHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const std::vector<int64_t>& offsets, const AttentionOptions& options);

/// The same for the last positions of each sequence alone: rows [query_offsets[s],
/// query_offsets[s + 1]) of q are the queries of its last positions, keys and values are those of
/// all of them. Bit for bit what these positions get where all have a query. Returns [M, H, d].
Tensor packed_attention(const Tensor& q_MHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const std::vector<int64_t>& query_offsets,
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
