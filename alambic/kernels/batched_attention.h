// Attention over the cache for devices whose host must not wait: in a few launches for any number
// of running sequences.
#pragma once

#include "alambic/kernels/attention.h"

namespace alambic::kernels {

/// cached_attention over a cache in pages, [pages, K, entries of a page, d]: row b of pages_BP has
/// those of query b, in order, and places_B its own entry, int64 tensors beside the cache.
/// `longest`: most entries that a query sees. Entries that were never written must be finite.
Tensor batched_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                         const Tensor& pages_BP, const Tensor& places_B, int64_t longest,
                         const AttentionOptions& options);

/// Writes row b of [B, K, d] to entry places_B[b] of the pages in row b of pages_BP.
void write_entries(const Tensor& rows_BKd, const Tensor& cache, const Tensor& pages_BP,
                   const Tensor& places_B);

}  // namespace alambic::kernels
