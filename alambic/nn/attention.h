#pragma once

#include "alambic/kernels/attention.h"
#include "alambic/nn/pass.h"

namespace alambic {

using kernels::AttentionOptions;

/// Keys and values that a layer has made in this pass: of its positions, and in the cache.
struct KeysValues {
  Tensor k_PKd, v_PKd;  ///< of all positions, where queries are of rows
  int64_t layer = -1;   ///< place in the cache of those of earlier tokens
};

/// Writes the rows of a pass, [N, K, d], to their entries of a layer's cache of keys or values: on
/// a device in one launch.
void store(const Tensor& rows_NKd, const Tensor& cache, const Pass& pass);

/// The first `count` entries of sequence s, which goes on, in a layer's cache of one head:
/// [count, width].
Tensor entries_of(const Tensor& cache, const Pass& pass, int64_t s, int64_t count);

/// Rows of that cache, seen as [pages · entries of a page, width], of the sequences that go on:
/// where their entries place_BC lie.
Tensor rows_of_entries(const Tensor& cache, const Pass& pass, const Tensor& place_BC);

/// Keys and values of a pass's rows, stored when there is a cache.
KeysValues stored(const Tensor& k_NKd, const Tensor& v_NKd, const Pass& pass, int64_t layer);

/// Attention over the cache (rows of sequences that go on) or over the pass itself, whose keys and
/// values this or an earlier layer has made. Returns [N, H · d], ready for the output projection.
Tensor attend(const Tensor& q_NHd, const KeysValues& kv, const Pass& pass,
              const AttentionOptions& options);

/// The heart of every attention block: both. Shapes as kernels::packed_attention.
Tensor attend(const Tensor& q_NHd, const Tensor& k_NKd, const Tensor& v_NKd, const Pass& pass,
              int64_t layer, const AttentionOptions& options);

}  // namespace alambic
