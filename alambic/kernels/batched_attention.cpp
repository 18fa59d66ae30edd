#include "alambic/kernels/batched_attention.h"

#include <ATen/ops/index_put.h>

#include "alambic/base/error.h"
#include "alambic/kernels/device_decoding.h"

namespace alambic::kernels {

namespace {

// Entries that each query does not see, [B, 1, 1, U].
Tensor hidden_entries(const Tensor& places_B, int64_t longest, int64_t window) {
  const Tensor entry_U = at::arange(longest, places_B.options());
  const Tensor behind_BU = places_B.unsqueeze(1) - entry_U.unsqueeze(0);
  Tensor hidden_BU = behind_BU < 0;
  if (window > 0) hidden_BU = hidden_BU.logical_or(behind_BU >= window);
  return hidden_BU.unsqueeze(1).unsqueeze(1);
}

// The first `longest` entries of each row's pages, [B, K, longest, d].
Tensor entries_of(const Tensor& cache, const Tensor& pages_BP, int64_t longest) {
  const int64_t page = cache.size(2), P = (longest + page - 1) / page;
  if (P == 1) return cache.narrow(2, 0, longest).index_select(0, pages_BP.select(1, 0));
  return cache.index_select(0, pages_BP.narrow(1, 0, P).flatten())
      .unflatten(0, {-1, P})
      .transpose(1, 2)
      .flatten(2, 3)
      .narrow(2, 0, longest);
}

}  // namespace

Tensor batched_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                         const Tensor& pages_BP, const Tensor& places_B, int64_t longest,
                         const AttentionOptions& options) {
  check(q_BHd.size(0) == pages_BP.size(0) && q_BHd.size(0) == places_B.size(0) &&
            q_BHd.size(2) == keys.size(3) && q_BHd.size(1) % keys.size(1) == 0 && longest > 0 &&
            longest <= pages_BP.size(1) * keys.size(2),
        "batched_attention: shapes of q and the cache do not fit");
  if (on_device::takes_cached_attention(q_BHd, keys, values, options)) {
    return on_device::cached_attention(q_BHd, keys, values, pages_BP, places_B, longest, options);
  }
  const int64_t K = keys.size(1);
  const auto wide = q_BHd.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto entries = [&](const Tensor& cache) {
    return entries_of(cache, pages_BP, longest).to(wide);
  };
  const Tensor keys_BKUd = entries(keys);
  const Tensor values_BKUd = values.is_same(keys) ? keys_BKUd : entries(values);
  const Tensor q_BKGd = q_BHd.to(wide).unflatten(1, {K, -1}) * options.scale;
  Tensor scores = at::matmul(q_BKGd, keys_BKUd.transpose(2, 3));
  if (options.softcap > 0) scores = (scores / options.softcap).tanh() * options.softcap;
  scores = scores.masked_fill(hidden_entries(places_B, longest, options.window),
                              -std::numeric_limits<double>::infinity());
  if (options.sinks_H.defined()) {
    const Tensor sinks_KG1 = options.sinks_H.to(wide).view({K, -1, 1});
    scores = at::cat({scores, sinks_KG1.expand({scores.size(0), K, scores.size(2), 1})}, -1);
  }
  const Tensor weights = scores.softmax(-1).narrow(-1, 0, longest);
  return at::matmul(weights, values_BKUd).flatten(1, 2).to(q_BHd.scalar_type());
}

void write_entries(const Tensor& rows_BKd, const Tensor& cache, const Tensor& pages_BP,
                   const Tensor& places_B) {
  check(rows_BKd.size(0) == pages_BP.size(0) && rows_BKd.size(1) == cache.size(1),
        "write_entries: rows of another shape than the cache");
  const Tensor rows = rows_BKd.to(cache.scalar_type());
  if (cache.stride(3) == 1 && kernels_of(rows, cache) != nullptr) {
    return on_device::write_entries(rows, cache, pages_BP, places_B);
  }
  Tensor entries = cache.transpose(1, 2);
  if (pages_BP.size(1) == 1) {
    at::index_put_(entries, {pages_BP.select(1, 0), places_B}, rows);
    return;
  }
  const int64_t page = cache.size(2);
  const Tensor page_B1 = pages_BP.gather(1, places_B.floor_divide(page).unsqueeze(1));
  at::index_put_(entries, {page_B1.select(1, 0), places_B.remainder(page)}, rows);
}

}  // namespace alambic::kernels
