#include "alambic/kernels/device_decoding.h"

#include <cmath>

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
                        const Tensor& slots_B, const Tensor& places_B, int64_t longest,
                        const AttentionOptions& options) {
  const DeviceCall call = call_for(q_BHd);
  const Tensor q = dense_rows(q_BHd), slots = slots_B.contiguous(), places = places_B.contiguous();
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
                      .pages = {call.at<int64_t>(slots), 1, keys.size(2)},
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

void write_entries(const Tensor& rows_BKd, const Tensor& cache, const Tensor& slots_B,
                   const Tensor& places_B, const Tensor& cos_Bd, const Tensor& sin_Bd) {
  check(rows_BKd.scalar_type() == cache.scalar_type() && cache.stride(3) == 1,
        "a cache of another dtype than its rows");
  const DeviceCall call = call_for(rows_BKd);
  const Tensor rows = dense_rows(rows_BKd), slots = slots_B.contiguous(),
               places = places_B.contiguous();
  call.run(call.table().heads, {.x = call.at(rows),
                                .x_row = rows.stride(0),
                                .x_head = rows.stride(1),
                                .norm_weight = nullptr,
                                .epsilon = 0,
                                .cos = call.at<float>(cos_Bd),
                                .sin = call.at<float>(sin_Bd),
                                .direction = 1,
                                .y = nullptr,
                                .cache = call.at(cache),
                                .cache_page = cache.stride(0),
                                .cache_head = cache.stride(1),
                                .cache_entry = cache.stride(2),
                                .pages = {call.at<int64_t>(slots), 1, cache.size(2)},
                                .places = call.at<int64_t>(places),
                                .N = rows.size(0),
                                .H = rows.size(1),
                                .d = rows.size(2),
                                .type = device_number(rows)});
}

DrawnRows draw(const Tensor& logits_BV, const DrawOptions& options, const Tensor& coin_B) {
  const DeviceCall call = call_for(logits_BV);
  const Tensor logits = dense_rows(logits_BV), coins = coin_B.contiguous();
  const int64_t B = logits.size(0);
  const DrawnRows drawn{empty_like_of({B}, logits, at::kInt),
                        empty_like_of({B}, logits, at::kFloat)};
  call.run(call.table().sample, {.logits = call.at<float>(logits),
                                 .row = logits.stride(0),
                                 .B = B,
                                 .V = logits.size(1),
                                 .temperature = options.temperature,
                                 .top_k = options.top_k,
                                 .top_p = options.top_p,
                                 .min_p = options.min_p,
                                 .coins = call.at<double>(coins),
                                 .seed = 0,
                                 .step = 0,
                                 .id = nullptr,
                                 .position = nullptr,
                                 .token = call.at<int32_t>(drawn.token_B),
                                 .logp = call.at<float>(drawn.logp_B)});
  return drawn;
}

void adamw(const AdamWStep& step, const Tensor& master, const Tensor& mean, const Tensor& square,
           const Tensor& gradient, const Tensor& weight, const Tensor& scale) {
  check(gradient.is_contiguous() && master.is_contiguous() && gradient.numel() == master.numel(),
        "adamw: a gradient of {} numbers for {}", gradient.numel(), master.numel());
  check(!weight.defined() || weight.scalar_type() == gradient.scalar_type(),
        "adamw: gradient and weight of two types");
  const DeviceCall call = call_for(gradient);
  const auto t = static_cast<double>(step.step);
  call.run(call.table().adamw, {.master = call.at<float>(master),
                                .mean = call.at<float>(mean),
                                .square = call.at<float>(square),
                                .gradient = call.at(gradient),
                                .weight = call.at(weight),
                                .factor = static_cast<float>(step.factor),
                                .scale = call.at<float>(scale),
                                .n = gradient.numel(),
                                .learning_rate = static_cast<float>(step.learning_rate),
                                .beta1 = static_cast<float>(step.beta1),
                                .beta2 = static_cast<float>(step.beta2),
                                .epsilon = static_cast<float>(step.epsilon),
                                .weight_decay = static_cast<float>(step.weight_decay),
                                .correction1 = static_cast<float>(1 - std::pow(step.beta1, t)),
                                .correction2 = static_cast<float>(1 - std::pow(step.beta2, t)),
                                .type = device_number(gradient)});
}

ClippedNorm clipped_norm(const std::vector<Tensor>& gradients, double most) {
  check(!gradients.empty(), "the norm of no gradients");
  const DeviceCall call = call_for(gradients.front());
  int64_t count = 0;
  for (const Tensor& gradient : gradients) count += squares_parts(gradient.numel());
  const Tensor parts = empty_like_of({count}, gradients.front(), at::kDouble);
  const ClippedNorm result{empty_like_of({}, parts, at::kDouble),
                           empty_like_of({}, parts, at::kFloat)};
  int64_t first = 0;
  for (const Tensor& gradient : gradients) {
    check(gradient.is_contiguous(), "a gradient that is not contiguous");
    call.run(call.table().squares, {.gradient = call.at(gradient),
                                    .parts = call.at<double>(parts) + first,
                                    .n = gradient.numel(),
                                    .type = device_number(gradient)});
    first += squares_parts(gradient.numel());
  }
  call.run(call.table().clip, {.parts = call.at<double>(parts),
                               .count = count,
                               .most = most,
                               .norm = call.at<double>(result.norm),
                               .scale = call.at<float>(result.scale)});
  return result;
}

}  // namespace alambic::kernels::on_device
