// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): what is remembered of a
// position is one narrow vector, from which every head makes its key and its value.
#pragma once

#include <optional>

#include "alambic/nn/self_attention.h"
#include "alambic/nn/token_indexer.h"

namespace alambic {

struct LatentShape {
  int64_t width = 0, heads = 0;
  int64_t query_rank = 0;   ///< queries come from a latent of their own of this width; 0: from x
  int64_t latent_rank = 0;  ///< L, width of the latent of keys and values
  int64_t nope_width = 0;   ///< width of a head's query and key without rotation
  int64_t rope_width = 0;   ///< R, of the part that turns; its key is shared by all heads
  int64_t value_width = 0;
  bool bias = false;        ///< biases of the maps from x and of the output
  bool interleaved = true;  ///< rotated parts are stored in pairs; false: in halves
  double latent_epsilon = 1e-6;

  int64_t query_width() const { return nope_width + rope_width; }
  /// Numbers kept of a position: the latent after its norm, and the shared key after its rotation.
  int64_t cache_width() const { return latent_rank + rope_width; }
};

/// Passes without a cache and prompts make the keys and values of each head. Decoding does not: the
/// map from the latent to a head's keys is absorbed in the query and the map to its values in the
/// output, so that all heads read the cache itself, as queries of one key head of width L + R
/// (section 2.1.2; the same up to rounding). With an indexer a position attends to no more than the
/// positions that it chooses; sequences longer than that number take the absorbed way with and
/// without a cache. The indexer's keys are where the cache has values.
struct LatentAttention : Mixer {
  LatentShape shape;
  double scale;               ///< factor of the scores
  Linear q_proj;              ///< queries without query_rank
  Linear q_a_proj, q_b_proj;  ///< queries with it
  RmsNorm q_a_layernorm;
  Linear kv_a_proj_with_mqa;  ///< map to the latent and the shared key
  RmsNorm kv_a_layernorm;
  Linear kv_b_proj;  ///< map from the latent to [key without turn | value] of each head
  Linear o_proj;
  std::optional<TokenIndexer> indexer;

  LatentAttention(const LatentShape& shape, double scale);
  Tensor forward(const Tensor& x_ND, const Rotation& rotation, const Pass& pass,
                 int64_t layer) const override;
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;
  /// Heads are divided; the maps to latents are whole on every rank, and so is the cache.
  std::string undivided(int64_t ranks) const override;
  MixerPart part(const World& group, KvCache::LayerShape cache) const override;

 private:
  double other_activations(double length) const;
  struct Queries {
    Tensor nope_NHd, rope_NHR;
  };
  Queries queries(const Tensor& q_NQ, const Rotation& rotation) const;
  Tensor turned(const Tensor& x_NHR, const Rotation& rotation) const;
  /// Key and value of each head; returns [N, H · value width], as all of these do.
  Tensor plain(const Queries& q, const Tensor& latent_NL, const Tensor& key_N1R,
               const Pass& pass) const;
  /// `attention` maps queries of width L + R to sums of cache entries, both [N, H, L + R].
  Tensor absorbed(const Queries& q, const std::function<Tensor(const Tensor&)>& attention) const;
  Tensor cached(const Queries& q, const Tensor& cache, const Pass& pass) const;
  /// `q` of the pass's rows, the others of its positions.
  Tensor sparse(const Queries& q, const TokenIndexer::Queries& index, const Tensor& entry_NC,
                const Tensor& index_key_Nd, const Pass& pass, int64_t layer) const;
  /// Weight of kv_b_proj, decoded, with what an adapter adds, [H · (nope + value width), L].
  Tensor kv_b_weight(at::ScalarType type) const;
};

}  // namespace alambic
