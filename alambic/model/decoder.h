// The decoder that the Llama-like families share (Touvron et al., arXiv 2302.13971): an embedding,
// layers of attention and MLP around a residual stream, a norm, a head.
#pragma once

#include <memory>
#include <vector>

#include "alambic/model/config.h"
#include "alambic/model/model.h"
#include "alambic/nn/mlp.h"
#include "alambic/nn/self_attention.h"

namespace alambic {

/// Places of a layer's norms around each of its two blocks, with the names they go by:
///   before: input_layernorm, post_attention_layernorm (Llama)
///   after:  post_attention_layernorm, post_feedforward_layernorm (OLMo 2)
///   around: input_, post_attention_, pre_feedforward_, post_feedforward_layernorm (Gemma 2)
enum class NormPlacement { before, after, around };

struct DecoderLayer {
  std::shared_ptr<Mixer> attention;
  std::shared_ptr<FeedForward> mlp;
  int64_t rope = 0;  ///< which of the decoder's ropes turns its heads; −1: none
  /// Made by Decoder::add; without weight where the placement has none.
  RmsNorm before_attention = {}, after_attention = {}, before_mlp = {}, after_mlp = {};
};

/// The sizes in config.json that every family spells alike.
struct DecoderShape {
  AttentionShape attention;
  MlpShape mlp;
  int64_t layers = 0;
  DecoderShape() = default;
  explicit DecoderShape(const Config& config);
  /// 1 / sqrt(head width).
  double scale() const;
};

struct Decoder : Model {
  ModelShape sizes;
  double deviation = 0.02, epsilon = 1e-6;
  bool tied = false;
  NormPlacement placement = NormPlacement::before;
  bool plus_one = false;       ///< norms multiply by 1 + weight
  double embedding_scale = 1;  ///< rounded to the model's dtype
  double head_softcap = 0;
  Weight embed_tokens;  ///< [vocabulary, width]
  std::vector<DecoderLayer> layers;
  RmsNorm norm;
  Linear lm_head;
  std::vector<Rope> ropes;

  /// Everything but the layers and ropes, which the family adds.
  Decoder(const Config& config, const DecoderShape& shape,
          NormPlacement placement = NormPlacement::before, bool plus_one = false);
  void add(DecoderLayer layer);
  RmsNorm make_norm(int64_t width) const { return {width, epsilon, plus_one}; }
  /// Scaled embeddings of the pass's tokens, [N, D].
  Tensor embed(const Pass& pass) const;

  ModelShape shape() const override { return sizes; }
  void visit(const TensorVisitor& visitor) override;
  std::string canonical_name(const std::string& name) const override;
  Tensor hidden_rows(const Pass& pass) const override;
  Head head() const override;
  void move_buffers(at::Device device, at::ScalarType dtype) override;
  double init_deviation(const std::string& name) const override;
  double init_constant(const std::string& name) const override;
  std::string undivided(int64_t ranks) const override;
  std::unique_ptr<Model> part(const std::shared_ptr<const World>& group,
                              LayerWeights* weights) const override;
};

/// A decoder whose layers are all alike, with one rope: Llama itself. `window` has the sliding
/// window of each layer, 0 for none; empty: none at all. `norm_heads`: norms of queries and keys,
/// each head alone.
std::unique_ptr<Decoder> make_plain_decoder(const Config& config, const DecoderShape& shape,
                                            const std::vector<int64_t>& window = {},
                                            bool norm_heads = false);

/// The window of each layer: "sliding_window" where Config::sliding says so, else 0.
std::vector<int64_t> layer_windows(const Config& config);

}  // namespace alambic
