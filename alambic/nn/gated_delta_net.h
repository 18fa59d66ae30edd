// Gated DeltaNet (Yang et al., arXiv 2412.06464) as Qwen3.5 has it: linear attention. What is
// remembered of a sequence is one matrix per head, of a size that does not grow.
#pragma once

#include "alambic/kernels/delta_rule.h"
#include "alambic/nn/self_attention.h"

namespace alambic {

struct DeltaNetShape {
  int64_t width = 0;
  int64_t key_heads = 0, heads = 0;  ///< K, H: heads of keys and queries, heads of values
  int64_t key_width = 0, value_width = 0;
  int64_t window = 0;  ///< positions that the convolution sees, its own among them

  /// Width of queries, keys and values, which pass through the convolution together.
  int64_t channels() const { return 2 * key_heads * key_width + heads * value_width; }
  /// Shape of a sequence's state in a cache.
  KvCache::StateShape state() const {
    return {heads, key_width, value_width, window - 1, channels()};
  }
};

/// Passes without a cache and prompts use the chunked form of the delta rule, decoding its step
/// (kernels/delta_rule.h). Queries and keys have length 1 (ε 1e-6 under the root); queries are
/// divided by √dk besides.
struct GatedDeltaNet : Mixer {
  DeltaNetShape shape;
  Linear in_proj_qkv;
  Linear in_proj_z;               ///< the gate of what is read
  Linear in_proj_b, in_proj_a;    ///< each head's shares: corrected, and forgotten
  Tensor conv_weight;             ///< [channels, 1, window]
  Tensor dt_bias_H, log_decay_H;  ///< g = −exp(log_decay)·softplus(a + dt_bias)
  RmsNorm norm;                   ///< norm of each head's reading, before the gate
  Linear out_proj;

  GatedDeltaNet(const DeltaNetShape& shape, double epsilon);
  Tensor forward(const Tensor& x_ND, const Rotation& rotation, const Pass& pass,
                 int64_t layer) const override;
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;

 private:
  double other_activations() const;
  Tensor convolved(const Tensor& x_NC, const Pass& pass, int64_t layer) const;
  kernels::DeltaInputs inputs(const Tensor& mixed_NC, const Tensor& x_ND) const;
  Tensor read(const kernels::DeltaInputs& inputs, const Pass& pass, int64_t layer) const;
};

}  // namespace alambic
