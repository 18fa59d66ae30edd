#include "alambic/nn/attention.h"

namespace alambic {

Tensor attend(const Tensor& q_NHd, const Tensor& k_NKd, const Tensor& v_NKd, const Pass& pass,
              int64_t layer, const AttentionOptions& options) {
  const std::vector<int64_t>& offsets = pass.input.offsets;
  if (pass.cache) {
    KvCache::Layer& cached = pass.cache->layers[layer];
    kernels::write_cache(k_NKd, offsets, cached.keys, pass.slots, pass.starts);
    kernels::write_cache(v_NKd, offsets, cached.values, pass.slots, pass.starts);
    if (pass.decodes()) {
      std::vector<int64_t> lengths = pass.starts;
      for (int64_t& length : lengths) ++length;
      return kernels::cached_attention(q_NHd, cached.keys, cached.values, pass.slots, lengths,
                                       options)
          .flatten(1);
    }
  }
  return kernels::packed_attention(q_NHd, k_NKd, v_NKd, offsets, options).flatten(1);
}

}  // namespace alambic
