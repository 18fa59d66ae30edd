#pragma once

#include "alambic/nn/linear.h"
#include "alambic/nn/norm.h"
#include "alambic/nn/pass.h"
#include "alambic/nn/rope.h"
#include "alambic/nn/sparse_attention.h"

namespace alambic {

struct IndexerShape {
  int64_t width = 0, query_rank = 0, heads = 0, head_width = 0;
  int64_t top_k = 0;  ///< most positions that one attends to
};

/// Chooses which earlier positions a position attends to (DeepSeek-V3.2, arXiv 2512.02556, section
/// 2.1). It learns nothing: the choice has no gradient.
struct TokenIndexer {
  IndexerShape shape;
  Linear wq_b;  ///< map from the latent of the queries
  Linear wk;
  LayerNorm k_norm;
  Linear weights_proj;  ///< weights of the heads

  struct Queries {
    Tensor q_NHd, weight_NH;
  };

  explicit TokenIndexer(const IndexerShape& shape);
  /// Whether a sequence of the pass has more positions than are chosen.
  bool chooses(const Pass& pass) const;
  /// [N, d], after their turn. Heads turn in halves, whatever those of the attention do.
  Tensor keys(const Tensor& x_ND, const Rotation& rotation) const;
  Queries queries(const Tensor& x_ND, const Tensor& latent_NQ, const Rotation& rotation) const;
  /// The best keys of queries [begin, begin + count), which belong to the last positions of a
  /// sequence with M > top_k keys.
  ChosenEntries top_k(const Queries& queries, int64_t begin, int64_t count,
                      const Tensor& key_Md) const;
  /// Tensors only: an adapter here would never learn.
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

}  // namespace alambic
