#include "alambic/model/deepseek_v4/entry_indexer.h"

#include <cmath>

#include "alambic/model/deepseek_v4/tail_rotation.h"
#include "alambic/nn/index_scores.h"

namespace alambic {

EntryIndexer::EntryIndexer(const EntryIndexerShape& shape)
    : shape(shape),
      compressor(shape.compressor),
      wq_b(shape.query_rank, shape.heads * shape.compressor.entry, false),
      weights_proj(shape.compressor.width, shape.heads, false) {}

EntryIndexer::Queries EntryIndexer::queries(const Tensor& x_ND, const Tensor& latent_NQ,
                                            const Rotation& rotation) const {
  const at::NoGradGuard no_grad;
  const Tensor weight_NH = weights_proj(x_ND);
  const at::ScalarType type = weight_NH.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto size = static_cast<double>(shape.heads * shape.compressor.entry);
  return {rotate_tail(wq_b(latent_NQ).unflatten(-1, {shape.heads, -1}), rotation),
          weight_NH.to(type) / std::sqrt(size), compressor.raw(x_ND)};
}

std::optional<ChosenEntries> EntryIndexer::top_k(const Queries& queries, int64_t begin,
                                                 int64_t count, int64_t start,
                                                 const WindowCompressor::Memory& memory,
                                                 const Rope& rope, const Tensor& visible_TE) const {
  const at::NoGradGuard no_grad;
  const auto mine = [&](const Tensor& rows) { return rows.narrow(0, begin, count); };
  const Tensor key_Ed = compressor.entries(mine(queries.raw_NW), start, memory, rope);
  if (key_Ed.size(0) <= shape.top_k) return {};
  return best_entries(index_scores(mine(queries.q_NHd), mine(queries.weight_NH), key_Ed),
                      visible_TE, shape.top_k);
}

void EntryIndexer::visit(const std::string& prefix, const TensorVisitor& visitor) {
  const TensorVisitor tensors = visitor.without_linears();
  compressor.visit(prefix + "compressor.", tensors);
  wq_b.visit(prefix + "wq_b", tensors);
  weights_proj.visit(prefix + "weights_proj", tensors);
}

}  // namespace alambic
