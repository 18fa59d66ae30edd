// Where two models are compared over cells: the beginnings of spans, and the cells inside of them.
#pragma once

#include <memory>
#include <vector>

#include "alambic/objective/span_targets.h"

namespace alambic {

/// Z places in the order of the text: each span's beginning, then its inner cells. `map` must
/// outlive this.
struct PiecePlaces {
  explicit PiecePlaces(const SpanMap& map);

  const SpanMap& map;
  std::vector<int64_t> order_Z;  ///< number of the span, or behind all of them of the inner cell
  std::vector<int64_t> cell_Z;   ///< what the text writes; -1: a bucket of its own
  std::vector<int64_t> begin_K;  ///< place of each span's beginning
  std::vector<bool> follows_Z;   ///< where the place before ended, in the tokens of both models
};

/// One model's tokens at the places.
struct PieceTokens {
  static PieceTokens of_student(const PiecePlaces& places, const Tensor& token_M);
  static PieceTokens of_teacher(const PiecePlaces& places);

  /// log-probability of all but the first token of the spans that are taken as a whole, float64
  /// [Z]; 0 elsewhere.
  Tensor rest_logp_Z(const Tensor& hidden_MD, const Head& head, double T,
                     const ChunkOptions& chunk) const;
  /// The same from log-probabilities of all graded tokens.
  Tensor rest_logp_Z(const Tensor& logp_M) const;

  std::shared_ptr<const TokenPaths> paths;  ///< null: each token is its cell
  Tensor begin_Z;                           ///< int64: places of the spans' beginnings, [K]
  Tensor row_Z;                             ///< int64: the graded token that writes there
  Tensor token_Z;                           ///< int64: that token
  std::vector<int64_t> written_Z;  ///< cells that it has written before; 0: it begins there
  Tensor rest_R;                   ///< graded tokens behind the first ones of whole spans
  SpanTargets rest;

 private:
  Tensor at_beginnings(const Tensor& logp_R) const;
};

}  // namespace alambic
