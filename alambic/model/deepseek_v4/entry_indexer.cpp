#include "alambic/model/deepseek_v4/entry_indexer.h"

#include <algorithm>
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
                                                 int64_t count,
                                                 const WindowCompressor::Memory& memory,
                                                 const Rope& rope, const Tensor& visible_TE) const {
  const at::NoGradGuard no_grad;
  const auto mine = [&](const Tensor& rows) { return rows.narrow(0, begin, count); };
  const Tensor key_Ed = compressor.entries(mine(queries.raw_NW), memory, rope);
  if (key_Ed.size(0) <= shape.top_k) return {};
  return best_entries(index_scores(mine(queries.q_NHd), mine(queries.weight_NH), key_Ed),
                      visible_TE, shape.top_k);
}

ChosenEntries EntryIndexer::step(const Queries& queries, const std::vector<int64_t>& starts,
                                 const std::vector<int64_t>& slots, const Tensor& rings,
                                 const Tensor& entries, const Rope& rope, int64_t count) const {
  const at::NoGradGuard no_grad;
  compressor.step(queries.raw_NW, starts, slots, rings, entries, rope);
  const int64_t stride = compressor.shape.stride;
  const int64_t most = (*std::ranges::max_element(starts) + 1) / stride;
  const auto options = at::TensorOptions().dtype(at::kLong).device(entries.device());
  const Tensor made_B1 = at::tensor(starts, options).add_(1).floor_divide(stride).unsqueeze(-1);
  if (most <= count) {
    const Tensor index_BC = at::arange(count, options).expand({made_B1.size(0), -1});
    return {index_BC, index_BC < made_B1};
  }
  const Tensor key_BEd = entries.index_select(0, at::tensor(slots, options)).narrow(1, 0, most);
  const at::ScalarType type = queries.weight_NH.scalar_type();
  const Tensor score_BHE =
      at::bmm(queries.q_NHd.to(type), key_BEd.to(type).transpose(1, 2)).clamp_min(0);
  return best_entries((score_BHE * queries.weight_NH.unsqueeze(-1)).sum(1),
                      at::arange(most, options) < made_B1, count);
}

void EntryIndexer::visit(const std::string& prefix, const TensorVisitor& visitor) {
  const TensorVisitor tensors = visitor.without_linears();
  compressor.visit(prefix + "compressor.", tensors);
  wq_b.visit(prefix + "wq_b", tensors);
  weights_proj.visit(prefix + "weights_proj", tensors);
}

}  // namespace alambic
