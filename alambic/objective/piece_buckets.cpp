#include "alambic/objective/piece_buckets.h"

#include <cmath>

namespace alambic {

namespace {

/// log of the least share of the most likely token's mass: a bucket that underflowed in one model
/// only is large in logarithms, not infinite; one that neither model has is the same in both.
const double kLeastLog = std::log(0x1p-115);

}  // namespace

CellTokens::CellTokens(const Tensor& cell_V, int64_t cells) : cell_V(cell_V) {
  const auto numbers = cell_V.options();
  const Tensor token_V = at::arange(cell_V.size(0), numbers);
  const Tensor one_V = at::ones_like(cell_V);
  shares_B = at::zeros({cells}, numbers).scatter_add_(0, cell_V, one_V) > 1;
  first_B = at::zeros({cells}, numbers).scatter_(0, cell_V, token_V);
  cell_G = shares_B.nonzero().squeeze(1);
  shared_n = shares_B.index_select(0, cell_V).nonzero().squeeze(1);
  const Tensor place_B = shares_B.to(at::kLong).cumsum(0) - 1;
  group_n = place_B.index_select(0, cell_V.index_select(0, shared_n));
  same = cell_V.size(0) == cells && cell_V.equal(token_V);
}

BucketShares write_buckets(const CellTokens& tokens, const Tensor& logits_CV,
                           const SpanStarts& spans, const Tensor& bucket_CB) {
  const int64_t cells = bucket_CB.size(1) - 1;
  const auto dtype = logits_CV.scalar_type();
  const Tensor least_C1 = logits_CV.amax(-1, true) + kLeastLog;
  const Tensor cell_CB = bucket_CB.narrow(1, 0, cells);
  if (tokens.same) {
    cell_CB.copy_(logits_CV);
  } else {
    cell_CB.copy_(logits_CV.index_select(1, tokens.first_B));
  }
  bucket_CB.narrow(1, cells, 1).copy_(least_C1);
  BucketShares shares{.token_C1 = spans.token_C.unsqueeze(1)};
  shares.from_C1 = tokens.cell_V.index_select(0, spans.token_C).unsqueeze(1);
  shares.to_C1 = spans.span_cell_C.where(spans.span_cell_C >= 0, cells).unsqueeze(1);
  const Tensor first_C1 = logits_CV.gather(1, shares.token_C1);
  const bool several = tokens.shared_n.numel() > 0;
  if (several) {
    shares.shared_Cn = logits_CV.index_select(1, tokens.shared_n);
    shares.shared_Cn.masked_fill_(tokens.shared_n.unsqueeze(0) == shares.token_C1, -INFINITY);
    const Tensor mass_CG =
        at::zeros({logits_CV.size(0), tokens.cell_G.size(0)}, logits_CV.options());
    mass_CG.scatter_add_(1, tokens.group_n.unsqueeze(0).expand_as(shares.shared_Cn),
                         (shares.shared_Cn - (least_C1 - kLeastLog)).exp_());
    bucket_CB.index_copy_(1, tokens.cell_G,
                          mass_CG.log_().add_(least_C1 - kLeastLog).maximum(least_C1));
  }
  // The first token's mass: by −expm1, never by a subtraction.
  const Tensor rest_C1 = spans.rest_C.unsqueeze(1);
  const Tensor stays_C1 = first_C1 + (-at::expm1(rest_C1)).log().to(dtype);
  const Tensor goes_C1 = first_C1 + rest_C1.to(dtype);
  const Tensor alone_C1 = tokens.shares_B.index_select(0, shares.from_C1.squeeze(1)).unsqueeze(1);
  const Tensor others_C1 = bucket_CB.gather(1, shares.from_C1).where(alone_C1, least_C1);
  bucket_CB.scatter_(1, shares.from_C1, at::logaddexp(others_C1, stays_C1));
  const Tensor known_C1 = bucket_CB.gather(1, shares.to_C1);
  bucket_CB.scatter_(1, shares.to_C1, at::logaddexp(known_C1, goes_C1));

  const Tensor from_C1 = bucket_CB.gather(1, shares.from_C1);
  const Tensor to_C1 = bucket_CB.gather(1, shares.to_C1);
  shares.stays_C1 = (stays_C1 - from_C1).exp_();
  shares.goes_C1 = (goes_C1 - to_C1).exp_();
  const Tensor whole_C1 = rest_C1.exp().to(dtype);
  shares.to_slope_C1 = shares.goes_C1;
  shares.from_slope_C1 = -whole_C1 * (first_C1 - from_C1).exp_();
  if (several) {
    const Tensor shared_CG = bucket_CB.index_select(1, tokens.cell_G);
    shares.shared_Cn.sub_(shared_CG.index_select(1, tokens.group_n)).exp_();
  }
  return shares;
}

Tensor write_gradient(const CellTokens& tokens, const BucketShares& shares,
                      const Tensor& gradient_CB, const Tensor& logits_CV) {
  if (tokens.same) {
    logits_CV.copy_(gradient_CB.narrow(1, 0, tokens.cell_V.size(0)));
  } else {
    logits_CV.copy_(gradient_CB.index_select(1, tokens.cell_V));
  }
  if (shares.shared_Cn.defined()) {
    const Tensor above_Cn = logits_CV.index_select(1, tokens.shared_n);
    logits_CV.index_copy_(1, tokens.shared_n, above_Cn.mul_(shares.shared_Cn));
  }
  const Tensor from_C1 = gradient_CB.gather(1, shares.from_C1);
  const Tensor to_C1 = gradient_CB.gather(1, shares.to_C1);
  logits_CV.scatter_(1, shares.token_C1, from_C1 * shares.stays_C1 + to_C1 * shares.goes_C1);
  return (to_C1 * shares.to_slope_C1 + from_C1 * shares.from_slope_C1).squeeze(1).to(at::kDouble);
}

}  // namespace alambic
