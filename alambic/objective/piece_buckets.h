// Rows of logits over tokens as logits over cells and spans, and their gradients back.
#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic {

/// One model's tokens by the cells they lie in. Most cells have one token, whose logit is the
/// cell's; only the others need exponentials.
struct CellTokens {
  CellTokens(const Tensor& cell_V, int64_t cells);

  Tensor cell_V;    ///< the cell of each token
  Tensor first_B;   ///< a token of each cell
  Tensor shares_B;  ///< bool: the cell has several tokens
  Tensor shared_n;  ///< the tokens that share a cell
  Tensor group_n;   ///< the place of their cell in cell_G
  Tensor cell_G;    ///< cells with several tokens
  bool same;        ///< every token is the cell of its number
};

/// Spans that begin at some rows.
struct SpanStarts {
  Tensor token_C;      ///< first token
  Tensor rest_C;       ///< float64: log-probability of the others
  Tensor span_cell_C;  ///< cell of the span's bytes; -1: none has them
};

/// What each part of a bucket's mass is of it, for the gradient.
struct BucketShares {
  Tensor shared_Cn;                 ///< tokens that share a cell
  Tensor token_C1, from_C1, to_C1;  ///< first token, its cell, and the bucket of the span
  Tensor stays_C1, goes_C1;  ///< the first token's mass without and with the rest of the span
  Tensor from_slope_C1, to_slope_C1;  ///< derivatives of both buckets' logits by the rest
};

/// Writes the logits of all cells and of one bucket for the span alone into bucket_CB: of the first
/// token's mass what goes on as the span lies in the bucket of its bytes, the rest in the token's
/// cell. logits_CV are at the temperature.
BucketShares write_buckets(const CellTokens& tokens, const Tensor& logits_CV,
                           const SpanStarts& spans, const Tensor& bucket_CB);

/// Writes the gradient with regard to the tokens' logits, from that with regard to the buckets'.
/// Returns the one with regard to the rest of the spans, float64 [C].
Tensor write_gradient(const CellTokens& tokens, const BucketShares& shares,
                      const Tensor& gradient_CB, const Tensor& logits_CV);

}  // namespace alambic
