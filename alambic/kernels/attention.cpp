#include "alambic/kernels/attention.h"

#include <atomic>
#include <cstring>

#include "alambic/kernels/cpu.h"
#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const float* sinks_of(const AttentionOptions& options, int64_t head) {
  return options.sinks_H.defined() ? options.sinks_H.const_data_ptr<float>() + head : nullptr;
}

/// Inputs of packed attention, with dense last dimensions.
struct Packing {
  Tensor q, k, v;
  std::vector<int64_t> query_offsets, offsets;
  AttentionOptions options;
  int64_t kv_heads = k.size(1), group = q.size(1) / kv_heads, d = q.size(2);
  int64_t sequences = static_cast<int64_t>(offsets.size()) - 1;

  int64_t length(int64_t s) const { return offsets[s + 1] - offsets[s]; }
  int64_t queries(int64_t s) const { return query_offsets[s + 1] - query_offsets[s]; }
  int64_t longest() const {
    int64_t max = 0;
    for (int64_t s = 0; s < sequences; ++s) max = std::max(max, length(s));
    return max;
  }

  AttentionArgs unit(int64_t s, int64_t kv_head, const Tensor& out, const Tensor& lse_NH) const {
    const int64_t first = offsets[s], query = query_offsets[s], head = kv_head * group;
    return {.q = q.const_data_ptr<float>() + query * q.stride(0) + head * q.stride(1),
            .k = k.const_data_ptr<float>() + first * k.stride(0) + kv_head * k.stride(1),
            .v = v.const_data_ptr<float>() + first * v.stride(0) + kv_head * v.stride(1),
            .q_row = q.stride(0),
            .q_head = q.stride(1),
            .k_row = k.stride(0),
            .v_row = v.stride(0),
            .length = length(s),
            .d = d,
            .group = group,
            .skipped = length(s) - queries(s),
            .scale = static_cast<float>(options.scale),
            .window = options.window,
            .softcap = static_cast<float>(options.softcap),
            .sinks = sinks_of(options, head),
            .out = out.mutable_data_ptr<float>() + query * out.stride(0) + head * out.stride(1),
            .out_row = out.stride(0),
            .out_head = out.stride(1),
            .lse = lse_NH.mutable_data_ptr<float>() + query * lse_NH.stride(0) + head,
            .lse_row = lse_NH.stride(0),
            .scratch = nullptr};
  }

  /// Calls run(sequence, kv head, scratch) for every unit. Units write to places of their own, so
  /// it does not matter which thread takes which.
  template <class F>
  void each_unit(double work, const F& run) const {
    const int64_t units = sequences * kv_heads;
    double flops = 0;
    for (int64_t s = 0; s < sequences; ++s) {
      const int64_t seen = options.window > 0 ? std::min(options.window, length(s)) : length(s);
      flops += work * static_cast<double>(queries(s)) * static_cast<double>(seen) *
               static_cast<double>(d * group * kv_heads);
    }
    const int64_t threads = flops < 2e6 ? 1 : std::min(thread_count(), units);
    const Tensor scratch = at::empty({threads, attention_scratch(longest(), d)}, q.options());
    auto* memory = scratch.mutable_data_ptr<float>();
    std::atomic<int64_t> next = 0;
    auto work_off = [&](int64_t begin, int64_t) {
      for (int64_t i = next++; i < units; i = next++) {
        run(i / kv_heads, i % kv_heads, memory + begin * scratch.stride(0));
      }
    };
    if (threads <= 1) {
      work_off(0, 1);
    } else {
      split(threads, 1, work_off);
    }
  }
};

Tensor fused_forward(const Packing& packing, const Tensor& lse_NH) {
  const Tensor out = at::empty(packing.q.sizes(), packing.q.options());
  packing.each_unit(2, [&](int64_t s, int64_t kv_head, float* scratch) {
    AttentionArgs unit = packing.unit(s, kv_head, out, lse_NH);
    unit.scratch = scratch;
    cpu().attention(unit);
  });
  return out;
}

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v,
                        const std::optional<Tensor>& sinks,
                        const std::vector<int64_t>& query_offsets,
                        const std::vector<int64_t>& offsets, double scale, int64_t window,
                        double softcap) {
    const Tensor sinks_H = sinks.value_or(Tensor());
    const Packing packing = {dense_rows(q), dense_rows(k), dense_rows(v),
                             query_offsets, offsets,       {scale, window, softcap, sinks_H}};
    const Tensor lse_NH = at::empty({q.size(0), q.size(1)}, q.options());
    const Tensor out = fused_forward(packing, lse_NH);
    context->save_for_backward({packing.q, packing.k, packing.v, out, lse_NH, sinks_H});
    context->saved_data["query_offsets"] = query_offsets;
    context->saved_data["offsets"] = offsets;
    context->saved_data["scale"] = scale;
    context->saved_data["window"] = window;
    context->saved_data["softcap"] = softcap;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("packed_attention");
    const variable_list saved = context->get_saved_variables();
    const Packing packing = {
        saved[0],
        saved[1],
        saved[2],
        context->saved_data["query_offsets"].toIntVector(),
        context->saved_data["offsets"].toIntVector(),
        {context->saved_data["scale"].toDouble(), context->saved_data["window"].toInt(),
         context->saved_data["softcap"].toDouble(), saved[5]}};
    const Tensor dout = dense_rows(gradients[0]);
    const Tensor dq = at::empty(packing.q.sizes(), packing.q.options());
    const Tensor dk = at::empty(packing.k.sizes(), packing.k.options());
    const Tensor dv = at::empty(packing.v.sizes(), packing.v.options());
    packing.each_unit(5, [&](int64_t s, int64_t kv_head, float* scratch) {
      const int64_t first = packing.offsets[s], query = packing.query_offsets[s];
      const int64_t head = kv_head * packing.group;
      AttentionGradArgs unit = {
          .forward = packing.unit(s, kv_head, saved[3], saved[4]),
          .dout = dout.const_data_ptr<float>() + query * dout.stride(0) + head * dout.stride(1),
          .dout_row = dout.stride(0),
          .dout_head = dout.stride(1),
          .dq = dq.mutable_data_ptr<float>() + query * dq.stride(0) + head * dq.stride(1),
          .dk = dk.mutable_data_ptr<float>() + first * dk.stride(0) + kv_head * dk.stride(1),
          .dv = dv.mutable_data_ptr<float>() + first * dv.stride(0) + kv_head * dv.stride(1),
          .dk_row = dk.stride(0)};
      unit.forward.scratch = scratch;
      cpu().attention_grad(unit);
    });
    Tensor dsinks_H;  // dL/dsink = −Σ_n p(sink)·δ, δ = Σ dO·O
    if (saved[5].defined()) {
      const Tensor delta_NH = (dout * saved[3]).sum(-1);
      dsinks_H = -((saved[5] - saved[4]).exp() * delta_NH).sum(0);
    }
    return {dq, dk, dv, dsinks_H, Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

/// Attention of q [H, T, d] over k and v [K, U, d] by plain tensor operations; the last query is at
/// the last key.
Tensor by_definition(const Tensor& q_HTd, const Tensor& k_KUd, const Tensor& v_KUd,
                     const AttentionOptions& options) {
  const int64_t H = q_HTd.size(0), T = q_HTd.size(1), U = k_KUd.size(1);
  const int64_t group = H / k_KUd.size(0);
  const auto wide = q_HTd.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  auto per_head = [&](const Tensor& x) { return x.repeat_interleave(group, 0).to(wide); };
  Tensor scores = at::matmul(q_HTd.to(wide), per_head(k_KUd).transpose(1, 2)) * options.scale;
  if (options.softcap > 0) scores = (scores / options.softcap).tanh() * options.softcap;
  const auto places = q_HTd.options().dtype(at::kLong);
  const Tensor behind =
      at::arange(U - T, U, places).unsqueeze(1) - at::arange(U, places).unsqueeze(0);
  Tensor hidden = behind < 0;
  if (options.window > 0) hidden = hidden.logical_or(behind >= options.window);
  scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  if (options.sinks_H.defined()) {
    scores = at::cat({scores, options.sinks_H.to(wide).view({H, 1, 1}).expand({H, T, 1})}, -1);
  }
  const Tensor weights = scores.softmax(-1).narrow(-1, 0, U);
  return at::matmul(weights, per_head(v_KUd)).to(q_HTd.scalar_type());
}

/// Whether the library's kernel, which knows neither, will do.
bool ordinary(const AttentionOptions& options) {
  return options.window == 0 && options.softcap == 0 && !options.sinks_H.defined();
}

Tensor generic_packed(const Packing& packing) {
  std::vector<Tensor> outputs;
  for (int64_t s = 0; s < packing.sequences; ++s) {
    const auto heads_first = [](const Tensor& x, int64_t begin, int64_t count) {
      return x.narrow(0, begin, count).transpose(0, 1);
    };
    const int64_t queries = packing.queries(s), length = packing.length(s);
    const Tensor q_HTd = heads_first(packing.q, packing.query_offsets[s], queries);
    const Tensor k_KUd = heads_first(packing.k, packing.offsets[s], length);
    const Tensor v_KUd = heads_first(packing.v, packing.offsets[s], length);
    if (!ordinary(packing.options)) {
      outputs.push_back(by_definition(q_HTd, k_KUd, v_KUd, packing.options).transpose(0, 1));
      continue;
    }
    // The library's own causal mask counts positions from the first query.
    std::optional<Tensor> seen_TU;
    if (queries < length) {
      seen_TU = at::ones({queries, length}, q_HTd.options().dtype(at::kBool).requires_grad(false))
                    .tril(length - queries);
    }
    const Tensor y = at::scaled_dot_product_attention(
        q_HTd.unsqueeze(0), k_KUd.unsqueeze(0), v_KUd.unsqueeze(0), seen_TU, 0.0,
        /*is_causal=*/!seen_TU, packing.options.scale, packing.group > 1);
    outputs.push_back(y.squeeze(0).transpose(0, 1));
  }
  return outputs.empty() ? packing.q.clone() : at::cat(outputs, 0);
}

Tensor generic_cached(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                      const std::vector<int64_t>& slots, const std::vector<int64_t>& lengths,
                      const AttentionOptions& options) {
  const bool grouped = q_BHd.size(1) > keys.size(1);
  std::vector<Tensor> outputs;
  for (size_t b = 0; b < slots.size(); ++b) {
    auto entries = [&](const Tensor& cache) {
      return cache.select(0, slots[b]).narrow(1, 0, lengths[b]).unsqueeze(0);
    };
    const Tensor q = q_BHd[static_cast<int64_t>(b)].unsqueeze(1).unsqueeze(0);  // [1, H, 1, d]
    if (!ordinary(options)) {
      outputs.push_back(
          by_definition(q[0], entries(keys)[0], entries(values)[0], options).squeeze(1));
      continue;
    }
    outputs.push_back(at::scaled_dot_product_attention(q, entries(keys), entries(values), {}, 0.0,
                                                       false, options.scale, grouped)
                          .squeeze(0)
                          .squeeze(1));
  }
  return outputs.empty() ? q_BHd.clone() : at::stack(outputs);
}

/// Each (slot, kv head) holds dense rows.
bool dense_entries(const Tensor& cache) {
  return cache.stride(3) == 1 && cache.stride(2) == cache.size(3);
}

bool cover(const std::vector<int64_t>& offsets, int64_t rows) {
  return !offsets.empty() && offsets.front() == 0 && offsets.back() == rows &&
         std::ranges::is_sorted(offsets);
}

void check_packing(const Tensor& q, const Tensor& k, const Tensor& v,
                   const std::vector<int64_t>& query_offsets, const std::vector<int64_t>& offsets) {
  check(cover(offsets, k.size(0)), "packed_attention: offsets do not cover the {} positions",
        k.size(0));
  check(cover(query_offsets, q.size(0)) && query_offsets.size() == offsets.size(),
        "packed_attention: offsets do not cover the {} queries", q.size(0));
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    check(query_offsets[s + 1] - query_offsets[s] <= offsets[s + 1] - offsets[s],
          "packed_attention: sequence {} has more queries than positions", s);
  }
  check(k.sizes() == v.sizes() && k.size(2) == q.size(2) && k.size(1) > 0 &&
            q.size(1) % k.size(1) == 0,
        "packed_attention: shapes of q, k and v do not fit");
}

void check_options(const AttentionOptions& options, int64_t heads) {
  check(options.window >= 0 && options.softcap >= 0, "attention: window {}, soft-cap {}",
        options.window, options.softcap);
  check(!options.sinks_H.defined() ||
            (options.sinks_H.dim() == 1 && options.sinks_H.size(0) == heads),
        "attention: a sink is needed for each of {} heads", heads);
}

bool plain_sinks(const AttentionOptions& options) {
  return !options.sinks_H.defined() || (plain(options.sinks_H) && options.sinks_H.is_contiguous());
}

void check_entries(const Tensor& cache, const std::vector<int64_t>& slots,
                   const std::vector<int64_t>& ends) {
  check(slots.size() == ends.size(), "cache: {} slots, {} lengths", slots.size(), ends.size());
  for (size_t b = 0; b < slots.size(); ++b) {
    check(slots[b] >= 0 && slots[b] < cache.size(0) && ends[b] >= 0 && ends[b] <= cache.size(2),
          "cache: entry {} of slot {} in a cache of {} slots of {}", ends[b], slots[b],
          cache.size(0), cache.size(2));
  }
}

}  // namespace

Tensor packed_attention(const Tensor& q_NHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const std::vector<int64_t>& offsets, const AttentionOptions& options) {
  return packed_attention(q_NHd, k_NKd, v_NKd, offsets, offsets, options);
}

Tensor packed_attention(const Tensor& q_MHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const std::vector<int64_t>& query_offsets,
                        const std::vector<int64_t>& offsets, const AttentionOptions& options) {
  check_packing(q_MHd, k_NKd, v_NKd, query_offsets, offsets);
  check_options(options, q_MHd.size(1));
  const at::ScalarType type = q_MHd.scalar_type();
  const bool narrow = type == at::kBFloat16 || type == at::kHalf;
  if (q_MHd.is_cpu() && narrow && !(ordinary(options) && query_offsets == offsets)) {
    // By plain operations the scores of whole sequences would be kept for the backward pass.
    AttentionOptions wide = options;
    if (wide.sinks_H.defined()) wide.sinks_H = wide.sinks_H.to(at::kFloat);
    return packed_attention(q_MHd.to(at::kFloat), k_NKd.to(at::kFloat), v_NKd.to(at::kFloat),
                            query_offsets, offsets, wide)
        .to(type);
  }
  if (!plain(q_MHd, k_NKd, v_NKd) || !plain_sinks(options)) {
    return generic_packed({q_MHd, k_NKd, v_NKd, query_offsets, offsets, options});
  }
  const Tensor& sinks_H = options.sinks_H;
  if (wants_gradient(q_MHd, k_NKd, v_NKd) || (sinks_H.defined() && wants_gradient(sinks_H))) {
    // Autograd takes an absent tensor as an optional only.
    const std::optional<Tensor> sinks = sinks_H.defined() ? std::optional(sinks_H) : std::nullopt;
    return AttentionFunction::apply(q_MHd, k_NKd, v_NKd, sinks, query_offsets, offsets,
                                    options.scale, options.window, options.softcap);
  }
  const Packing packing = {dense_rows(q_MHd), dense_rows(k_NKd), dense_rows(v_NKd),
                           query_offsets,     offsets,           options};
  return fused_forward(packing, at::empty({q_MHd.size(0), q_MHd.size(1)}, q_MHd.options()));
}

Tensor cached_attention(const Tensor& q_BHd, const Tensor& keys, const Tensor& values,
                        const std::vector<int64_t>& slots, const std::vector<int64_t>& lengths,
                        const AttentionOptions& options) {
  check_options(options, q_BHd.size(1));
  check_entries(keys, slots, lengths);
  check(q_BHd.size(0) == static_cast<int64_t>(slots.size()) && keys.sizes() == values.sizes() &&
            q_BHd.size(2) == keys.size(3) && q_BHd.size(1) % keys.size(1) == 0,
        "cached_attention: shapes of q and the cache do not fit");
  if (!plain(q_BHd, keys, values) || !plain_sinks(options) || !dense_entries(keys) ||
      !dense_entries(values)) {
    return generic_cached(q_BHd, keys, values, slots, lengths, options);
  }
  const int64_t B = q_BHd.size(0), H = q_BHd.size(1), d = q_BHd.size(2), K = keys.size(1);
  const int64_t group = H / K;
  const Tensor q = q_BHd.stride(2) == 1 && q_BHd.stride(1) == d ? q_BHd : q_BHd.contiguous();
  const Tensor out = at::empty({B, H, d}, q.options());
  const auto* queries = q.const_data_ptr<float>();
  const auto *k = keys.const_data_ptr<float>(), *v = values.const_data_ptr<float>();
  auto* y = out.mutable_data_ptr<float>();
  int64_t entries = 0;
  for (int64_t length : lengths) {
    entries += options.window > 0 ? std::min(options.window, length) : length;
  }
  const double unit_ns = 0.15 * static_cast<double>(entries * d * group) /
                             static_cast<double>(std::max<int64_t>(B, 1)) +
                         50;
  parallel(B * K, unit_ns, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = i / K, head = i % K;
      cpu().cached_attention({.q = queries + b * q.stride(0) + head * group * d,
                              .k = k + slots[b] * keys.stride(0) + head * keys.stride(1),
                              .v = v + slots[b] * values.stride(0) + head * values.stride(1),
                              .length = lengths[b],
                              .d = d,
                              .group = group,
                              .scale = static_cast<float>(options.scale),
                              .window = options.window,
                              .softcap = static_cast<float>(options.softcap),
                              .sinks = sinks_of(options, head * group),
                              .out = y + (b * H + head * group) * d});
    }
  });
  return out;
}

void write_cache(const Tensor& rows_NKd, const std::vector<int64_t>& offsets, const Tensor& cache,
                 const std::vector<int64_t>& slots, const std::vector<int64_t>& starts) {
  const int64_t sequences = static_cast<int64_t>(offsets.size()) - 1;
  check(static_cast<int64_t>(starts.size()) == sequences, "write_cache: {} sequences, {} starts",
        sequences, starts.size());
  std::vector<int64_t> ends = starts;
  for (int64_t s = 0; s < sequences; ++s) ends[s] += offsets[s + 1] - offsets[s];
  check_entries(cache, slots, ends);
  const bool bytes = rows_NKd.is_cpu() && cache.is_cpu() && dense_entries(cache) &&
                     rows_NKd.scalar_type() == cache.scalar_type() && !wants_gradient(rows_NKd);
  if (!bytes) {
    for (int64_t s = 0; s < sequences; ++s) {
      const int64_t length = offsets[s + 1] - offsets[s];
      cache.select(0, slots[s])
          .narrow(1, starts[s], length)
          .copy_(rows_NKd.narrow(0, offsets[s], length).transpose(0, 1));
    }
    return;
  }
  const Tensor rows = dense_rows(rows_NKd);
  const int64_t size = rows.element_size(), K = rows.size(1), row = rows.size(2) * size;
  const auto* from = static_cast<const char*>(rows.const_data_ptr());
  auto* to = static_cast<char*>(cache.mutable_data_ptr());
  for (int64_t s = 0; s < sequences; ++s) {
    for (int64_t head = 0; head < K; ++head) {
      char* entry = to + (slots[s] * cache.stride(0) + head * cache.stride(1)) * size;
      for (int64_t n = offsets[s]; n < offsets[s + 1]; ++n) {
        std::memcpy(entry + (starts[s] + n - offsets[s]) * row,
                    from + (n * rows.stride(0) + head * rows.stride(1)) * size, row);
      }
    }
  }
}

}  // namespace alambic::kernels
