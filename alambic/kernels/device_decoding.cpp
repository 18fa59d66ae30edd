#include "alambic/kernels/device_decoding.h"

#include "alambic/base/error.h"
#include "alambic/kernels/launch.h"

namespace alambic::kernels::on_device {
namespace {

Tensor empty_like_of(at::IntArrayRef sizes, const Tensor& like, at::ScalarType dtype) {
  return at::empty(sizes, like.options().dtype(dtype).requires_grad(false));
}

}  // namespace

bool takes_cached_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                            const AttentionOptions& options) {
  const auto type = q_BHd.scalar_type();
  return kernels_of(q_BHd, keys, values) != nullptr && keys.scalar_type() == type &&
         values.scalar_type() == type && q_BHd.size(2) <= decode_widest &&
         values.size(3) <= decode_widest && keys.stride(3) == 1 && values.stride(3) == 1 &&
         (!options.sinks_H.defined() || options.sinks_H.device() == q_BHd.device());
}

Tensor cached_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                        const Tensor& pages_BP, const Tensor& places_B, int64_t longest,
                        const AttentionOptions& options) {
  const DeviceCall call = call_for(q_BHd);
  const Tensor q = dense_rows(q_BHd), pages = pages_BP.contiguous(), places = places_B.contiguous();
  const Tensor sinks =
      options.sinks_H.defined() ? options.sinks_H.to(at::kFloat).contiguous() : Tensor();
  const int64_t B = q.size(0), H = q.size(1), dv = values.size(3);
  const Tensor out = at::empty({B, H, dv}, q.options());
  DeviceDecode job = {.q = call.at(q),
                      .q_row = q.stride(0),
                      .q_head = q.stride(1),
                      .keys = call.at(keys),
                      .values = call.at(values),
                      .key_page = keys.stride(0),
                      .key_head = keys.stride(1),
                      .key_entry = keys.stride(2),
                      .value_page = values.stride(0),
                      .value_head = values.stride(1),
                      .value_entry = values.stride(2),
                      .pages = {call.at<int64_t>(pages), pages.size(1), keys.size(2)},
                      .places = call.at<int64_t>(places),
                      .B = B,
                      .H = H,
                      .K = keys.size(1),
                      .d = q.size(2),
                      .dv = dv,
                      .longest = longest,
                      .scale = static_cast<float>(options.scale),
                      .window = options.window,
                      .softcap = static_cast<float>(options.softcap),
                      .sinks = call.at<float>(sinks),
                      .out = call.at(out),
                      .lse = nullptr,
                      .scratch = nullptr,
                      .type = device_number(q)};
  const Tensor scratch = empty_like_of({decode_scratch(job)}, q, at::kFloat);
  job.scratch = call.at<float>(scratch);
  call.run(call.table().decode, job);
  return out;
}

namespace {

DeviceHeadNorm norm_of(const DeviceCall& call, const HeadRows& rows) {
  if (!rows.norm_d.defined()) return {};
  return {.weight = call.at(rows.norm_d),
          .weight_type = device_number(rows.norm_d),
          .epsilon = static_cast<float>(rows.style.epsilon),
          .shift = rows.style.plus_one ? 1.0f : 0.0f,
          .wide = rows.style.plus_one || rows.style.wide};
}

DeviceHeads heads_of(const DeviceCall& call, const HeadRows& rows) {
  const Tensor& x = rows.x_BHd;
  DeviceHeads heads = {};
  heads.x = call.at(x);
  heads.x_row = x.stride(0);
  heads.x_head = x.stride(1);
  heads.norm = norm_of(call, rows);
  heads.direction = 1;
  heads.N = x.size(0);
  heads.H = x.size(1);
  heads.d = x.size(2);
  return heads;
}

void turn(const DeviceCall& call, DeviceHeads& heads, const NewHeads& given) {
  if (!given.cos_Bd.defined()) return;
  heads.cos = call.at<float>(given.cos_Bd);
  heads.sin = call.at<float>(given.sin_Bd);
  heads.turned = 2 * given.cos_Bd.size(1);
}

void write_to(const DeviceCall& call, DeviceHeads& heads, const Tensor& cache,
              const Tensor& pages_BP, const Tensor& places_B) {
  heads.cache = call.at(cache);
  heads.cache_page = cache.stride(0);
  heads.cache_head = cache.stride(1);
  heads.cache_entry = cache.stride(2);
  heads.pages = {call.at<int64_t>(pages_BP), pages_BP.size(1), cache.size(2)};
  heads.places = call.at<int64_t>(places_B);
}

bool is_table(const Tensor& angles, const Tensor& x_BHd) {
  return angles.scalar_type() == at::kFloat && angles.is_contiguous() && angles.dim() == 2 &&
         angles.size(0) == x_BHd.size(0) && 2 * angles.size(1) <= x_BHd.size(2);
}

bool takes_norm_of(const HeadRows& rows) {
  return !rows.norm_d.defined() || (rows.norm_d.is_contiguous() && rows.norm_d.dim() == 1 &&
                                    rows.norm_d.size(0) == rows.x_BHd.size(2) &&
                                    kernels_of(rows.x_BHd, rows.norm_d) != nullptr);
}

}  // namespace

void write_entries(const Tensor& rows_BKd, const Tensor& cache, const Tensor& pages_BP,
                   const Tensor& places_B) {
  check(rows_BKd.scalar_type() == cache.scalar_type() && cache.stride(3) == 1,
        "a cache of another dtype than its rows");
  const DeviceCall call = call_for(rows_BKd);
  const Tensor rows = dense_rows(rows_BKd), pages = pages_BP.contiguous(),
               places = places_B.contiguous();
  DeviceHeadParts parts = {.part = {}, .count = 1, .type = device_number(rows)};
  parts.part[0] = heads_of(call, {.x_BHd = rows, .norm_d = {}});
  write_to(call, parts.part[0], cache, pages, places);
  call.run(call.table().heads, parts);
}

bool takes_decode_attention(const NewHeads& heads, const Tensor& keys, const Tensor& values,
                            const AttentionOptions& options) {
  const Tensor &q = heads.q.x_BHd, &k = heads.k.x_BHd, &v = heads.v_BKd;
  const bool fits = q.dim() == 3 && k.dim() == 3 && k.sizes() == v.sizes() &&
                    k.size(1) == keys.size(1) && k.size(2) == keys.size(3) &&
                    v.size(2) == values.size(3) && k.scalar_type() == q.scalar_type() &&
                    v.scalar_type() == q.scalar_type();
  if (!fits || !takes_cached_attention(q, keys, values, options)) return false;
  if (!takes_norm_of(heads.q) || !takes_norm_of(heads.k)) return false;
  return !heads.cos_Bd.defined() || (is_table(heads.cos_Bd, q) && is_table(heads.sin_Bd, q));
}

Tensor decode_attention(const NewHeads& given, const Tensor& keys, const Tensor& values,
                        const Tensor& pages_BP, const Tensor& places_B, int64_t longest,
                        const AttentionOptions& options) {
  NewHeads heads = given;
  for (Tensor* x : {&heads.q.x_BHd, &heads.k.x_BHd, &heads.v_BKd}) *x = dense_rows(*x);
  const DeviceCall call = call_for(keys);
  const Tensor pages = pages_BP.contiguous(), places = places_B.contiguous();
  const Tensor q_BHd = at::empty(heads.q.x_BHd.sizes(), heads.q.x_BHd.options());
  DeviceHeadParts parts = {.part = {}, .count = 3, .type = device_number(q_BHd)};
  auto& [q, k, v] = parts.part;
  q = heads_of(call, heads.q);
  q.y = call.at(q_BHd);
  k = heads_of(call, heads.k);
  v = heads_of(call, {.x_BHd = heads.v_BKd, .norm_d = {}});
  turn(call, q, heads);
  turn(call, k, heads);
  write_to(call, k, keys, pages, places);
  write_to(call, v, values, pages, places);
  call.run(call.table().heads, parts);
  return cached_attention(q_BHd, keys, values, pages, places, longest, options);
}

void draw(const Tensor& logits_BV, const DrawOptions& options, const DrawCoins& coins,
          const Tensor& token_B, const Tensor& drawn_2B, bool advance) {
  const DeviceCall call = call_for(logits_BV);
  const Tensor logits = dense_rows(logits_BV);
  check(token_B.is_contiguous() && coins.id_B.is_contiguous() && coins.place_B.is_contiguous() &&
            drawn_2B.is_contiguous() && drawn_2B.numel() == 2 * logits.size(0),
        "draws of {} rows", logits.size(0));
  call.run(call.table().sample, {.logits = call.at<float>(logits),
                                 .row = logits.stride(0),
                                 .B = logits.size(0),
                                 .V = logits.size(1),
                                 .temperature = options.temperature,
                                 .top_k = options.top_k,
                                 .top_p = options.top_p,
                                 .min_p = options.min_p,
                                 .coins = nullptr,
                                 .seed = coins.seed,
                                 .step = coins.step,
                                 .id = call.at<int64_t>(coins.id_B),
                                 .place = call.at<int64_t>(coins.place_B),
                                 .advance = advance,
                                 .token = call.at<int64_t>(token_B),
                                 .drawn = call.at<double>(drawn_2B)});
}

}  // namespace alambic::kernels::on_device
