// The lightning indexer of DeepSeek-V3.2 (arXiv 2512.02556, section 2.1) and V4: cheap scores by
// which a position chooses what it attends to. Nothing here has a gradient, as in transformers.
#pragma once

#include "alambic/nn/sparse_attention.h"

namespace alambic {

/// Scores of T queries and M keys, [T, M], float32 (float64 for float64):
/// Σ_h weight_h · relu(q_h · key), with q [T, H, d], weights [T, H], keys [M, d].
Tensor index_scores(const Tensor& q_THd, const Tensor& weight_TH, const Tensor& key_Md);

/// The `count` ≤ M best of the entries that a query may see (`visible_TM`, bool), of all where they
/// are fewer. Of equals the first ones are taken, so that entries which no query may see change
/// nothing.
ChosenEntries best_entries(const Tensor& score_TM, const Tensor& visible_TM, int64_t count);

/// visible_TM of T positions from `start` on, where entry m may be seen from position `first`(m) =
/// every · m + every − 1 on: with every = 1 the causal mask.
Tensor visible_entries(int64_t start, int64_t count, int64_t entries, int64_t every,
                       at::Device device);

}  // namespace alambic
