#include "alambic/kernels/device_attention.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>

#include <map>
#include <mutex>

#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels::on_device {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t widest_head = 256;
constexpr int64_t width_step = 8;     // of heads, in numbers
constexpr uintptr_t read_bytes = 16;  // at a time: rows and heads begin at multiples of it

/// What the forward and the backward operator are told beside the tensors.
struct FlashCall {
  Tensor offsets_2S;  ///< int32: queries, keys
  int64_t longest_queries, longest_keys;
  double scale;
  int64_t window;

  /// Keys before its own that a query sees; −1: all. The last query is at the last key.
  int64_t before() const { return window > 0 ? window - 1 : -1; }
  static constexpr int64_t behind = 0;
};

struct Attended {
  Tensor out_MHd;
  Tensor lse_HM;  ///< float32: logarithm of what the softmax was divided by
};

Attended attended(const Tensor& q_MHd, const Tensor& k_NKd, const Tensor& v_NKd,
                  const Tensor& sinks_H, const FlashCall& call) {
  const auto [out_MHd, lse_HM, state, unused, mask] = at::_flash_attention_forward(
      q_MHd, k_NKd, v_NKd, call.offsets_2S[0], call.offsets_2S[1], call.longest_queries,
      call.longest_keys, /*dropout_p=*/0, /*is_causal=*/true, /*return_debug_mask=*/false,
      call.scale, call.before(), FlashCall::behind);
  if (!sinks_H.defined()) return {out_MHd, lse_HM};
  // The sink's share of the softmax has no value: the rest is what it leaves.
  const Tensor whole_HM = at::logaddexp(lse_HM, sinks_H.to(at::kFloat).unsqueeze(1));
  out_MHd.mul_((lse_HM - whole_HM).exp_().t().unsqueeze(-1));
  return {out_MHd, whole_HM};
}

struct FlashFunction : torch::autograd::Function<FlashFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& q_MHd, const Tensor& k_NKd,
                        const Tensor& v_NKd, const std::optional<Tensor>& sinks,
                        const FlashCall& call) {
    const Tensor sinks_H = sinks.value_or(Tensor());
    const Attended made = attended(q_MHd, k_NKd, v_NKd, sinks_H, call);
    context->save_for_backward(
        {q_MHd, k_NKd, v_NKd, made.out_MHd, made.lse_HM, call.offsets_2S, sinks_H});
    context->saved_data["longest_queries"] = call.longest_queries;
    context->saved_data["longest_keys"] = call.longest_keys;
    context->saved_data["scale"] = call.scale;
    context->saved_data["window"] = call.window;
    return made.out_MHd;
  }

  // With the sink's share in lse, weights and δ = Σ dO·O are those of the whole softmax, so the
  // operator's gradients of q, k and v are too.
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("packed_attention");
    const variable_list saved = context->get_saved_variables();
    const Tensor &out_MHd = saved[3], &lse_HM = saved[4], &sinks_H = saved[6];
    const FlashCall call = {saved[5], context->saved_data["longest_queries"].toInt(),
                            context->saved_data["longest_keys"].toInt(),
                            context->saved_data["scale"].toDouble(),
                            context->saved_data["window"].toInt()};
    const Tensor dout_MHd = gradients[0].contiguous();
    const Tensor no_state = at::empty({0}, saved[0].options());
    const auto [dq, dk, dv] = at::_flash_attention_backward(
        dout_MHd, saved[0], saved[1], saved[2], out_MHd, lse_HM, call.offsets_2S[0],
        call.offsets_2S[1], call.longest_queries, call.longest_keys, /*dropout_p=*/0,
        /*is_causal=*/true, no_state, no_state, call.scale, call.before(), FlashCall::behind);
    return {dq, dk, dv, gradient_of_sinks(sinks_H, lse_HM, out_MHd, dout_MHd), Tensor()};
  }

 private:
  // dL/dsink = −Σ_n p(sink)·δ.
  static Tensor gradient_of_sinks(const Tensor& sinks_H, const Tensor& lse_HM,
                                  const Tensor& out_MHd, const Tensor& dout_MHd) {
    if (!sinks_H.defined()) return {};
    const Tensor delta_HM = dout_MHd.to(at::kFloat).mul_(out_MHd).sum(-1).t();
    const Tensor share_HM = (sinks_H.to(at::kFloat).unsqueeze(1) - lse_HM).exp_();
    return (share_HM * delta_HM).sum(1).neg_().to(sinks_H.scalar_type());
  }
};

bool is_aligned(const Tensor& x_NHd) {
  return x_NHd.stride(2) == 1 && x_NHd.stride(1) % width_step == 0 &&
         x_NHd.stride(0) % width_step == 0 &&
         reinterpret_cast<uintptr_t>(x_NHd.const_data_ptr()) % read_bytes == 0;
}

/// The same numbers as the operator can read them; zeros change neither scores nor sums.
Tensor readable(const Tensor& x_NHd) {
  const int64_t missing = -x_NHd.size(2) & (width_step - 1);
  if (missing > 0) return at::constant_pad_nd(x_NHd, {0, missing});
  return is_aligned(x_NHd) ? x_NHd : x_NHd.clone(at::MemoryFormat::Contiguous);
}

bool has_operators(at::Device device) {
  const c10::DispatchKey key = c10::computeDispatchKey(std::nullopt, std::nullopt, device);
  const auto has = [&](const char* name) {
    const auto found = c10::Dispatcher::singleton().findSchema({name, ""});
    return found && found->hasKernelForDispatchKey(key);
  };
  return has("aten::_flash_attention_forward") && has("aten::_flash_attention_backward");
}

/// Whether one query of one head gets an answer: the dispatcher does not know what the operator
/// asks of a card.
bool answers(at::Device device) {
  const at::NoGradGuard no_gradient;
  const PackedOffsets offsets({0, 1});
  const Tensor x_11d =
      at::zeros({1, 1, width_step}, at::TensorOptions().dtype(at::kHalf).device(device));
  try {
    static_cast<void>(attended(x_11d, x_11d, x_11d, {}, {offsets.on(device), 1, 1, 1.0, 0}));
  } catch (const c10::Error&) {
    return false;
  }
  return true;
}

}  // namespace

bool has_flash_attention(at::Device device) {
  static std::mutex mutex;
  static std::map<std::pair<at::DeviceType, at::DeviceIndex>, bool> known;
  const std::scoped_lock lock(mutex);
  const auto [entry, is_new] = known.try_emplace({device.type(), device.index()});
  if (is_new) entry->second = has_operators(device) && answers(device);
  return entry->second;
}

bool takes_packed_attention(const Tensor& q_MHd, const Tensor& k_NKd, const Tensor& v_NKd,
                            const AttentionOptions& options) {
  const at::ScalarType type = q_MHd.scalar_type();
  return !q_MHd.is_cpu() && (type == at::kBFloat16 || type == at::kHalf) &&
         k_NKd.scalar_type() == type && v_NKd.scalar_type() == type && q_MHd.size(0) > 0 &&
         q_MHd.size(2) <= widest_head && options.softcap == 0 &&
         has_flash_attention(q_MHd.device());
}

Tensor packed_attention(const Tensor& q_MHd, const Tensor& k_NKd, const Tensor& v_NKd,
                        const PackedOffsets& offsets, const AttentionOptions& options) {
  const Tensor q = readable(q_MHd), k = readable(k_NKd), v = readable(v_NKd);
  const Tensor& sinks_H = options.sinks_H;
  const FlashCall call = {offsets.on(q.device()), offsets.longest_queries(), offsets.longest_keys(),
                          options.scale, options.window};
  // Autograd takes an absent tensor as an optional only.
  const std::optional<Tensor> sinks = sinks_H.defined() ? std::optional(sinks_H) : std::nullopt;
  const bool learns = wants_gradient(q, k, v) || (sinks && wants_gradient(sinks_H));
  const Tensor out_MHd = learns ? FlashFunction::apply(q, k, v, sinks, call)
                                : attended(q, k, v, sinks_H, call).out_MHd;
  const int64_t d = q_MHd.size(2);
  return out_MHd.size(2) == d ? out_MHd : out_MHd.narrow(2, 0, d);
}

}  // namespace alambic::kernels::on_device
