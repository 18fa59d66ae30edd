// The attention of DeepSeek-V4 (transformers' modeling_deepseek_v4.py; section 2.3 of its report):
// one vector of a position is key and value of every head; a position sees the last few positions
// and, farther back, compressed entries of many.
#pragma once

#include <optional>

#include "alambic/model/deepseek_v4/entry_indexer.h"
#include "alambic/nn/pass.h"

namespace alambic {

struct CompressedShape {
  int64_t width = 0, heads = 0;
  int64_t head_width = 0;              ///< d
  int64_t query_rank = 0;              ///< width of the latent that queries come from
  int64_t groups = 0, group_rank = 0;  ///< output: heads of a group share a map to this rank
  int64_t window = 0;                  ///< a position sees the last `window`, itself among them
  double epsilon = 1e-6;
};

/// Three kinds of layer: windows alone; with all compressed entries (HCA); with those that an
/// indexer chooses (CSA). What a sequence keeps of a compressor are two sides of the cache, a ring
/// and entries; an indexer has two more.
struct CompressedAttention {
  CompressedShape shape;
  Linear wq_a, wq_b, wkv;
  RmsNorm q_norm, norm;
  Tensor wo_a;  ///< [groups · rank, H · d / groups], each group's map from its own heads
  Linear wo_b;
  Tensor sinks_H;
  std::optional<WindowCompressor> compressor;
  std::optional<EntryIndexer> indexer;  ///< only with a compressor

  explicit CompressedAttention(const CompressedShape& shape);
  /// Sides of the cache that this layer needs, for KvCache::Shape.
  std::vector<KvCache::Side> sides() const;
  /// [N, D] to [N, D]. `rope` is the one that made `rotation`.
  Tensor forward(const Tensor& x_ND, const Rope& rope, const Rotation& rotation, const Pass& pass,
                 int64_t layer) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor);

 private:
  double other_activations(double length) const;
  struct Inputs {
    Tensor q_NHd, kv_Nd, raw_NW;
    EntryIndexer::Queries index;
    Inputs at_positions(const Pass& pass) const;
  };
  /// A sequence from its first token on; [T, H, d].
  Tensor of_sequence(const Inputs& inputs, const Rope& rope, const Pass& pass, int64_t s,
                     int64_t layer) const;
  /// One token of each running sequence, all in one pass; [B, H, d].
  Tensor step(const Inputs& inputs, const Rope& rope, const Pass& pass, int64_t layer) const;
  Tensor output(const Tensor& heads_NHd) const;
};

}  // namespace alambic
