#pragma once

#include "alambic/kernels/attention.h"
#include "alambic/nn/pass.h"

namespace alambic {

using kernels::AttentionOptions;

/// The heart of every attention block: stores this pass's keys and values when there is a cache,
/// and attends over the cache (decoding) or over the pass itself. Shapes as
/// kernels::packed_attention; returns [N, H · d], ready for the output projection.
Tensor attend(const Tensor& q_NHd, const Tensor& k_NKd, const Tensor& v_NKd, const Pass& pass,
              int64_t layer, const AttentionOptions& options);

/// The same over the keys and values that `layer`, an earlier one, has made and stored in this
/// pass.
Tensor attend_stored(const Tensor& q_NHd, const Tensor& k_NKd, const Tensor& v_NKd,
                     const Pass& pass, int64_t layer, const AttentionOptions& options);

}  // namespace alambic
