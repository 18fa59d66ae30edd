#include "alambic/nn/heads.h"

#include "alambic/kernels/device_decoding.h"
#include "alambic/nn/decoding_places.h"

namespace alambic {

namespace {

using kernels::on_device::HeadRows;
using kernels::on_device::NewHeads;

HeadRows rows_of(const Heads& heads) {
  if (heads.norm == nullptr) return {.x_BHd = heads.x_NHd, .norm_d = {}};
  const RmsNorm& norm = *heads.norm;
  return {.x_BHd = heads.x_NHd,
          .norm_d = norm.weight,
          .style = {.epsilon = norm.epsilon, .plus_one = norm.plus_one, .wide = norm.wide}};
}

Tensor ready(const Heads& heads, const Rotation& rotation) {
  return rotation(heads.norm == nullptr ? heads.x_NHd : (*heads.norm)(heads.x_NHd));
}

}  // namespace

Tensor attend(const Heads& q, const Heads& k, const Tensor& v_NKd, const Rotation& rotation,
              const Pass& pass, int64_t layer, const AttentionOptions& options) {
  const DecodingPlaces* places = at::GradMode::is_enabled() ? nullptr : decoding_places();
  if (places != nullptr && pass.decodes()) {
    const NewHeads heads{.q = rows_of(q),
                         .k = rows_of(k),
                         .v_BKd = v_NKd,
                         .cos_Bd = rotation.cos_Nd,
                         .sin_Bd = rotation.sin_Nd};
    const KvCache::Layer& cached = pass.cache->layers[layer];
    if (kernels::on_device::takes_decode_attention(heads, cached.keys, cached.values, options)) {
      return kernels::on_device::decode_attention(heads, cached.keys, cached.values,
                                                  places->pages_BP, places->positions_B,
                                                  pass.longest(), options)
          .flatten(1);
    }
  }
  return attend(ready(q, rotation), ready(k, rotation), v_NKd, pass, layer, options);
}

}  // namespace alambic
