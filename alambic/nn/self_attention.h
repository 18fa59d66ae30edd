#pragma once

#include "alambic/nn/attention.h"
#include "alambic/nn/linear.h"
#include "alambic/nn/norm.h"
#include "alambic/nn/rope.h"

namespace alambic {

class World;
struct MixerPart;

/// Part of a decoder layer that mixes positions.
struct Mixer {
  virtual ~Mixer() = default;
  /// [N, D] to [N, D]; `layer` is this layer's place in the pass's cache.
  virtual Tensor forward(const Tensor& x_ND, const Rotation& rotation, const Pass& pass,
                         int64_t layer) const = 0;
  /// `prefix` is the layer's, "model.layers.3."; the mixer adds its own name.
  virtual void visit(const std::string& prefix, const TensorVisitor& visitor) = 0;
  /// Reason why so many ranks cannot each have a part of it (nn/tensor_parallel.h), as a sentence;
  /// "": they can.
  virtual std::string undivided(int64_t ranks) const;
  /// A mixer of the same kind with some of the heads, its weights copied: what the ranks' parts
  /// return adds up to what this one returns. `cache`: what this one keeps.
  virtual MixerPart part(const World& group, KvCache::LayerShape cache) const;
};

/// A rank's part of a mixer, and what it keeps of each sequence.
struct MixerPart {
  std::unique_ptr<Mixer> mixer;
  KvCache::LayerShape cache;
};

struct AttentionShape {
  int64_t width = 0, heads = 0, kv_heads = 0, head_width = 0;
  bool qkv_bias = false, output_bias = false;
  bool fused = false;  ///< one matrix qkv_proj (Phi-3)
  /// q_proj makes [query | gate] of each head, and what the head read is multiplied by
  /// sigmoid(gate) (Qwen3.5; arXiv 2505.06708). Not with fused.
  bool gated = false;
};

/// Attention with rotary positions and grouped queries (arXiv 2305.13245), the self_attn of the
/// Llama-like families.
struct SelfAttention : Mixer {
  AttentionShape shape;
  AttentionOptions options;
  Linear q_proj, k_proj, v_proj, o_proj;
  Linear qkv_proj;  ///< instead of the three, where fused
  /// Norms of queries and keys before they turn, of width head_width (each head alone) or of all
  /// heads together; weight undefined: none.
  RmsNorm q_norm, k_norm;

  SelfAttention(const AttentionShape& shape, const AttentionOptions& options);
  Tensor forward(const Tensor& x_ND, const Rotation& rotation, const Pass& pass,
                 int64_t layer) const override;
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;
  /// Query heads are divided evenly; key/value heads too, or each is several ranks'.
  std::string undivided(int64_t ranks) const override;
  MixerPart part(const World& group, KvCache::LayerShape cache) const override;

 private:
  int64_t other_activations() const;
};

}  // namespace alambic
