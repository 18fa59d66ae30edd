#pragma once

#include <optional>

#include "alambic/model/deepseek_v4/window_compressor.h"
#include "alambic/nn/sparse_attention.h"

namespace alambic {

struct EntryIndexerShape {
  int64_t query_rank = 0, heads = 0;
  int64_t top_k = 0;           ///< most entries that a position attends to
  CompressorShape compressor;  ///< makes entries of its own, narrower; overlapping
};

/// Chooses which compressed entries a position attends to (DeepSeek-V4). Like V3.2's TokenIndexer
/// it learns nothing.
struct EntryIndexer {
  EntryIndexerShape shape;
  WindowCompressor compressor;
  Linear wq_b;          ///< from the latent of the queries
  Linear weights_proj;  ///< weights of the heads

  struct Queries {
    Tensor q_NHd, weight_NH, raw_NW;
  };

  explicit EntryIndexer(const EntryIndexerShape& shape);
  Queries queries(const Tensor& x_ND, const Tensor& latent_NQ, const Rotation& rotation) const;
  /// Entries chosen by queries [begin, begin + count), the first tokens of a sequence, among those
  /// that visible_TE (bool) shows; nothing where there are no more than top_k.
  std::optional<ChosenEntries> top_k(const Queries& queries, int64_t begin, int64_t count,
                                     const WindowCompressor::Memory& memory, const Rope& rope,
                                     const Tensor& visible_TE) const;
  /// The same of a step of decoding: entries chosen by B queries at positions `starts`, of rings
  /// and entries of all slots (WindowCompressor::step); `count` of them, or all where they are
  /// fewer.
  ChosenEntries step(const Queries& queries, const std::vector<int64_t>& starts,
                     const std::vector<int64_t>& slots, const Tensor& rings, const Tensor& entries,
                     const Rope& rope, int64_t count) const;
  /// Tensors only: an adapter here would never learn.
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

}  // namespace alambic
