#pragma once

#include <vector>

#include "alambic/objective/open_bounds.h"

namespace alambic {

/// A bucket's mass lies between these two.
struct BucketBound {
  int64_t cell;  ///< the last one: the span's own
  MassRange mass;
  bool known() const { return mass.least == mass.most; }
};

/// Bounds of a teacher's buckets (piece_divergence.h) at places of which it has said its K most
/// likely tokens and the chosen one: from them alone, whatever the others are.
///
/// A cell is known where all of its tokens are said, and so is the part of the first token's mass
/// that moves with its span; else it has at least what was said. Inside of a token, and where
/// longer tokens are open, masses are parts of a sum that is known as well as its parts are.
class PieceBounds {
 public:
  /// `places` and `tokens`, the teacher's, must outlive this. `rest_logp_Z`: of the rest of whole
  /// spans (PieceTokens). An input error: that of ListedTokens.
  PieceBounds(const PiecePlaces& places, const PieceTokens& tokens, const TopK& topk,
              const Tensor& rest_logp_Z);

  /// Those of a place, which follows that of the last call; a bucket that has none can be anything.
  std::vector<BucketBound> next();

 private:
  std::vector<BucketBound> of_row(int64_t place, const ListedRow& row);
  std::vector<BucketBound> inside(int64_t place, const ListedRow& row) const;

  const PiecePlaces& places_;
  const PieceTokens& tokens_;
  ListedTokens listed_;
  OpenBounds open_;
  std::vector<int64_t> row_Z_, token_Z_, cell_V_;
  std::vector<int64_t> tokens_B_;  // how many lie in each cell
  std::vector<double> rest_logp_Z_;
  int64_t place_ = 0;
};

/// Masses p of a distribution within bounds, of all those the one nearest to q: p = clip(λ·q,
/// least, most) with the λ that sums to 1. It is the same for every f-divergence, since f′(p / q)
/// must be alike where p is free, larger at a least one and smaller at a most one.
struct NearestMasses {
  std::vector<double> mass;  ///< of the bounds' buckets
  double factor = 0;         ///< λ: what all other buckets are of q
  bool same = false;         ///< q lies within the bounds
};

/// `q`: of the bounds' buckets; `q_rest`: of all others together.
NearestMasses nearest_masses(const std::vector<BucketBound>& bounds, const std::vector<double>& q,
                             double q_rest);

}  // namespace alambic
