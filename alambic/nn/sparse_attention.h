#pragma once

#include "alambic/kernels/attention.h"

namespace alambic {

/// Entries that each of T queries attends to.
struct ChosenEntries {
  Tensor index_TC;  ///< int64, rows of the entries; any row where nothing is to be seen
  Tensor seen_TC;   ///< bool
};

/// Attention of T queries of H heads to the entries that each of them chose, and to no other: time
/// and memory grow with C, not with M. An entry is key and value of every head. Every query must
/// see an entry or have a sink. Softmax in float32; of `options` scale and sinks count.
/// Differentiable once in q, entries and sinks, in blocks of queries whose weights are made again:
/// nothing of size T · C but the choice is kept. Returns [T, H, d].
Tensor sparse_attention(const Tensor& q_THd, const Tensor& entry_Md, const ChosenEntries& chosen,
                        const kernels::AttentionOptions& options);

/// The same for rows that were gathered before, and are no other's: entry_TCd [T, C, d], seen_TC
/// (bool). Not differentiable.
Tensor gathered_attention(const Tensor& q_THd, const Tensor& entry_TCd, const Tensor& seen_TC,
                          const kernels::AttentionOptions& options);

}  // namespace alambic
