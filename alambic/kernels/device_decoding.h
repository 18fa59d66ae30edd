// Kernels of decoding and of the optimizer on an accelerator that has them (kernels/device.h);
// nothing waits for the device, and no gradient passes. Callers ask kernels_of first.
#pragma once

#include "alambic/kernels/attention.h"
#include "alambic/kernels/device.h"

namespace alambic::kernels::on_device {

/// Attention of one query per sequence over its cache. `keys`: [slots, K, capacity, d], `values`
/// [slots, K, capacity, dv], whose numbers may be the keys' own. Query b belongs to slot slots_B[b]
/// and sees the entries up to places_B[b] (int64 both), of which there are at most `longest`.
/// Returns [B, H, dv].
Tensor cached_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                        const Tensor& slots_B, const Tensor& places_B, int64_t longest,
                        const AttentionOptions& options);

/// Whether the widths, types and strides are such that it can be asked.
bool takes_cached_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                            const AttentionOptions& options);

/// Writes row b of rows_BKd, turned by cos_Bd and sin_Bd where they are given, to entry
/// places_B[b] of slot slots_B[b].
void write_entries(const Tensor& rows_BKd, const Tensor& cache, const Tensor& slots_B,
                   const Tensor& places_B, const Tensor& cos_Bd = {}, const Tensor& sin_Bd = {});

/// Settings of a draw (rollout/sampling.h).
struct DrawOptions {
  double temperature = 1;
  int64_t top_k = 0;
  double top_p = 1, min_p = 0;
};

struct DrawnRows {
  Tensor token_B;  ///< int32; −1 where a logit is not finite
  Tensor logp_B;   ///< float32
};

/// A draw for each row of float32 logits with these coins (float64), the CPU's token for it.
DrawnRows draw(const Tensor& logits_BV, const DrawOptions& options, const Tensor& coin_B);

/// One tensor's part of a step of AdamW; all float32 but gradient and weight, which are of one
/// type.
struct AdamWStep {
  double learning_rate, beta1, beta2, epsilon, weight_decay;
  int64_t step;       ///< from 1
  double factor = 1;  ///< of the gradient
};
/// `weight` is rounded from the master, or undefined: the master is the weight. `scale`: one
/// float32 on the device, another factor of the gradient; undefined: 1.
void adamw(const AdamWStep& step, const Tensor& master, const Tensor& mean, const Tensor& square,
           const Tensor& gradient, const Tensor& weight, const Tensor& scale);

struct ClippedNorm {
  Tensor norm;   ///< float64, one number: of all gradients together
  Tensor scale;  ///< float32, one number: what brings it down to `most`; 0 where it is not finite
};
/// `most` 0: no limit. All on one device; nothing is read.
ClippedNorm clipped_norm(const std::vector<Tensor>& gradients, double most);

}  // namespace alambic::kernels::on_device
