// What attention over whole sequences and over a cache have in common.
#pragma once

#include "alambic/kernels/attention.h"

namespace alambic::kernels {

/// Those of `head` and the ones behind it; null: none.
const float* sinks_of(const AttentionOptions& options, int64_t head);

/// Attention of q [H, T, d] over k and v [K, U, d] by plain tensor operations; the last query is at
/// the last key.
Tensor attention_by_definition(const Tensor& q_HTd, const Tensor& k_KUd, const Tensor& v_KUd,
                               const AttentionOptions& options);

/// No window, soft-cap or sinks: libtorch's kernel, which knows none of them, will do.
bool ordinary(const AttentionOptions& options);

/// Bugs: values that no model has, sinks of another number than `heads`.
void check_attention(const AttentionOptions& options, int64_t heads);

/// None, or such as CpuTable's kernels take.
bool plain_sinks(const AttentionOptions& options);

}  // namespace alambic::kernels
