#include "alambic/kernels/attention.h"

#include <atomic>

#include "alambic/kernels/attention_parts.h"
#include "alambic/kernels/cpu.h"
#include "alambic/kernels/device_attention.h"
#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

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
      outputs.push_back(
          attention_by_definition(q_HTd, k_KUd, v_KUd, packing.options).transpose(0, 1));
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

bool cover(const std::vector<int64_t>& offsets, int64_t rows) {
  return !offsets.empty() && offsets.front() == 0 && offsets.back() == rows &&
         std::ranges::is_sorted(offsets);
}

void check_packing(const Tensor& q, const Tensor& k, const Tensor& v, const PackedOffsets& places) {
  const std::vector<int64_t>&query_offsets = places.queries(), &offsets = places.keys();
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

}  // namespace

Tensor packed_attention(const Tensor& q_NHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const std::vector<int64_t>& offsets, const AttentionOptions& options) {
  return packed_attention(q_NHd, k_NKd, v_NKd, PackedOffsets(offsets), options);
}

Tensor packed_attention(const Tensor& q_MHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const PackedOffsets& offsets, const AttentionOptions& options) {
  check_packing(q_MHd, k_NKd, v_NKd, offsets);
  check_attention(options, q_MHd.size(1));
  if (on_device::takes_packed_attention(q_MHd, k_NKd, v_NKd, options)) {
    return on_device::packed_attention(q_MHd, k_NKd, v_NKd, offsets, options);
  }
  const at::ScalarType type = q_MHd.scalar_type();
  const bool narrow = type == at::kBFloat16 || type == at::kHalf;
  const std::vector<int64_t>&queries = offsets.queries(), &keys = offsets.keys();
  if (q_MHd.is_cpu() && narrow && !(ordinary(options) && queries == keys)) {
    // By plain operations the scores of whole sequences would be kept for the backward pass.
    AttentionOptions wide = options;
    if (wide.sinks_H.defined()) wide.sinks_H = wide.sinks_H.to(at::kFloat);
    return packed_attention(q_MHd.to(at::kFloat), k_NKd.to(at::kFloat), v_NKd.to(at::kFloat),
                            offsets, wide)
        .to(type);
  }
  if (!plain(q_MHd, k_NKd, v_NKd) || !plain_sinks(options)) {
    return generic_packed({q_MHd, k_NKd, v_NKd, queries, keys, options});
  }
  const Tensor& sinks_H = options.sinks_H;
  if (wants_gradient(q_MHd, k_NKd, v_NKd) || (sinks_H.defined() && wants_gradient(sinks_H))) {
    // Autograd takes an absent tensor as an optional only.
    const std::optional<Tensor> sinks = sinks_H.defined() ? std::optional(sinks_H) : std::nullopt;
    return AttentionFunction::apply(q_MHd, k_NKd, v_NKd, sinks, queries, keys, options.scale,
                                    options.window, options.softcap);
  }
  const Packing packing = {
      dense_rows(q_MHd), dense_rows(k_NKd), dense_rows(v_NKd), queries, keys, options};
  return fused_forward(packing, at::empty({q_MHd.size(0), q_MHd.size(1)}, q_MHd.options()));
}

}  // namespace alambic::kernels
