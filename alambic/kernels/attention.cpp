#include "alambic/kernels/attention.h"

namespace alambic::kernels {

Tensor packed_attention(const Tensor& q_NHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const std::vector<int64_t>& offsets, double scale) {
  const int64_t group = q_NHd.size(1) / k_NKd.size(1);
  std::vector<Tensor> outputs;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    const int64_t begin = offsets[s], length = offsets[s + 1] - begin;
    auto heads_first = [&](const Tensor& x) {
      return x.narrow(0, begin, length).transpose(0, 1).unsqueeze(0);
    };
    const Tensor y = at::scaled_dot_product_attention(
        heads_first(q_NHd), heads_first(k_NKd), heads_first(v_NKd), {}, 0.0, /*is_causal=*/true,
        scale, /*enable_gqa=*/group > 1);
    outputs.push_back(y.squeeze(0).transpose(0, 1));
  }
  return at::cat(outputs, 0);
}

Tensor cached_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                        const std::vector<int64_t>& slots, const std::vector<int64_t>& lengths,
                        double scale) {
  const bool grouped = q_BHd.size(1) > keys.size(1);
  std::vector<Tensor> outputs;
  for (size_t b = 0; b < slots.size(); ++b) {
    auto entries = [&](const Tensor& cache) {
      return cache.select(0, slots[b]).narrow(1, 0, lengths[b]).unsqueeze(0);
    };
    const Tensor q = q_BHd[static_cast<int64_t>(b)].unsqueeze(1).unsqueeze(0);  // [1, H, 1, d]
    outputs.push_back(at::scaled_dot_product_attention(q, entries(keys), entries(values), {}, 0.0,
                                                       false, scale, grouped)
                          .squeeze(0)
                          .squeeze(1));
  }
  return at::stack(outputs);
}

void write_cache(const Tensor& rows_NKd, const std::vector<int64_t>& offsets, const Tensor& cache,
                 const std::vector<int64_t>& slots, const std::vector<int64_t>& starts) {
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    const int64_t length = offsets[s + 1] - offsets[s];
    cache.select(0, slots[s])
        .narrow(1, starts[s], length)
        .copy_(rows_NKd.narrow(0, offsets[s], length).transpose(0, 1));
  }
}

}  // namespace alambic::kernels
