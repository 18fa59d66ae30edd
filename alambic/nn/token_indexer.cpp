#include "alambic/nn/token_indexer.h"

#include <algorithm>
#include <cmath>

#include "alambic/nn/index_scores.h"

namespace alambic {

TokenIndexer::TokenIndexer(const IndexerShape& shape)
    : shape(shape),
      wq_b(shape.query_rank, shape.heads * shape.head_width, false),
      wk(shape.width, shape.head_width, false),
      k_norm(shape.head_width, 1e-6),
      weights_proj(shape.width, shape.heads, false) {}

bool TokenIndexer::chooses(const Pass& pass) const {
  if (pass.stepping > 0 && pass.longest() > shape.top_k) return true;
  for (int64_t s = pass.stepping; s < pass.input.sequences(); ++s) {
    if (pass.starts()[s] + pass.input.length(s) > shape.top_k) return true;
  }
  return false;
}

Tensor TokenIndexer::keys(const Tensor& x_ND, const Rotation& rotation) const {
  const at::NoGradGuard no_grad;
  return rotation(k_norm(wk(x_ND)).unsqueeze(1)).squeeze(1);
}

TokenIndexer::Queries TokenIndexer::queries(const Tensor& x_ND, const Tensor& latent_NQ,
                                            const Rotation& rotation) const {
  const at::NoGradGuard no_grad;
  const Tensor weight_NH = weights_proj(x_ND);
  const at::ScalarType type = weight_NH.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return {rotation(wq_b(latent_NQ).unflatten(-1, {shape.heads, -1})),
          weight_NH.to(type) / std::sqrt(static_cast<double>(shape.heads * shape.head_width))};
}

ChosenEntries TokenIndexer::top_k(const Queries& queries, int64_t begin, int64_t count,
                                  const Tensor& key_Md) const {
  constexpr int64_t step = 256;  // scores of all queries at once would grow with the square
  const int64_t M = key_Md.size(0);
  std::vector<Tensor> index, seen;
  for (int64_t done = 0; done < count; done += step) {
    const int64_t some = std::min(step, count - done), from = begin + done;
    const Tensor visible_TM = visible_entries(M - count + done, some, M, 1, key_Md.device());
    const ChosenEntries best =
        best_entries(index_scores(queries.q_NHd.narrow(0, from, some),
                                  queries.weight_NH.narrow(0, from, some), key_Md),
                     visible_TM, shape.top_k);
    index.push_back(best.index_TC);
    seen.push_back(best.seen_TC);
  }
  return {at::cat(index), at::cat(seen)};
}

void TokenIndexer::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + "wq_b.weight", wq_b.weight);
  visitor(prefix + "wk.weight", wk.weight);
  k_norm.visit(prefix + "k_norm", visitor);
  visitor(prefix + "weights_proj.weight", weights_proj.weight);
}

}  // namespace alambic
