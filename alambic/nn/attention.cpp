#include "alambic/nn/attention.h"

#include "alambic/kernels/batched_attention.h"
#include "alambic/nn/decoding_places.h"

namespace alambic {

void store(const Tensor& rows_NKd, const Tensor& cache, const Pass& pass) {
  if (cache.is_cpu() && decoding_places() == nullptr) {
    kernels::write_cache(rows_NKd, pass.input.offsets, cache, pass.slots, pass.starts());
  } else {
    kernels::write_entries(rows_NKd, cache, pass.pages_NP, pass.places_N);
  }
}

Tensor entries_of(const Tensor& cache, const Pass& pass, int64_t s, int64_t count) {
  if (!pass.cache->pages) return cache[pass.slots[s]][0].narrow(0, 0, count);
  const Tensor pages_P = pass.pages_NP[s].narrow(0, 0, pass.cache->pages->pages_for(count));
  return cache.select(1, 0).index_select(0, pages_P).flatten(0, 1).narrow(0, 0, count);
}

Tensor rows_of_entries(const Tensor& cache, const Pass& pass, const Tensor& place_BC) {
  const int64_t page = cache.size(2);
  if (!pass.cache->pages) return pass.pages_NP * page + place_BC;
  const Tensor page_BC = pass.pages_NP.gather(1, place_BC.floor_divide(page));
  return page_BC * page + place_BC.remainder(page);
}

KeysValues stored(const Tensor& k_NKd, const Tensor& v_NKd, const Pass& pass, int64_t layer) {
  if (pass.cache) {
    const KvCache::Layer& cached = pass.cache->layers[layer];
    store(k_NKd, cached.keys, pass);
    store(v_NKd, cached.values, pass);
  }
  return {pass.to_positions(k_NKd), pass.to_positions(v_NKd), layer};
}

Tensor attend(const Tensor& q_NHd, const Tensor& k_NKd, const Tensor& v_NKd, const Pass& pass,
              int64_t layer, const AttentionOptions& options) {
  return attend(q_NHd, stored(k_NKd, v_NKd, pass, layer), pass, options);
}

namespace {

// Of the rows that read the cache, one for each of the first `pass.stepping` sequences.
Tensor attend_cache(const Tensor& q_BHd, const KeysValues& kv, const Pass& pass,
                    const AttentionOptions& options) {
  const KvCache::Layer& cached = pass.cache->layers[kv.layer];
  if (const DecodingPlaces* places = decoding_places()) {
    return kernels::batched_attention(q_BHd, cached.keys, cached.values, places->pages_BP,
                                      places->positions_B, pass.longest(), options);
  }
  std::vector<int64_t> lengths(pass.starts().begin(), pass.starts().begin() + pass.stepping);
  for (int64_t& length : lengths) ++length;
  const std::vector<int64_t> slots(pass.slots.begin(), pass.slots.begin() + pass.stepping);
  return kernels::cached_attention(q_BHd, cached.keys, cached.values, slots, lengths, options);
}

}  // namespace

Tensor attend(const Tensor& q_NHd, const KeysValues& kv, const Pass& pass,
              const AttentionOptions& options) {
  const int64_t stepping = pass.stepping;
  if (stepping == 0) {
    return kernels::packed_attention(q_NHd, kv.k_PKd, kv.v_PKd, *pass.offsets, options).flatten(1);
  }
  if (stepping == pass.input.sequences()) return attend_cache(q_NHd, kv, pass, options).flatten(1);
  const auto beginning = [&](const Tensor& x) {
    return x.narrow(0, stepping, x.size(0) - stepping);
  };
  return at::cat({attend_cache(q_NHd.narrow(0, 0, stepping), kv, pass, options),
                  kernels::packed_attention(beginning(q_NHd), beginning(kv.k_PKd),
                                            beginning(kv.v_PKd), *pass.offsets, options)})
      .flatten(1);
}

}  // namespace alambic
