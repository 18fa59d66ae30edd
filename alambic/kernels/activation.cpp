#include "alambic/kernels/activation.h"

#include "alambic/kernels/cpu.h"
#include "alambic/kernels/device_functions.h"
#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double item_ns = 1;  // an element: an exponential and three streams

// `up` may be undefined: then the gate's value alone.
Tensor fused_forward(Gate kind, const Tensor& gate_NF, const Tensor& up_NF) {
  const Tensor y = at::empty_like(gate_NF);
  const auto* gate = gate_NF.const_data_ptr<float>();
  const auto* up = up_NF.defined() ? up_NF.const_data_ptr<float>() : nullptr;
  auto* out = y.mutable_data_ptr<float>();
  const auto kernel = kind == Gate::silu ? cpu().swiglu : cpu().geglu;
  parallel(y.numel(), item_ns, [&](int64_t begin, int64_t end) {
    kernel(gate + begin, up ? up + begin : nullptr, out + begin, end - begin);
  });
  return y;
}

struct GatedFunction : torch::autograd::Function<GatedFunction> {
  static Tensor forward(AutogradContext* context, Gate kind, const Tensor& gate_NF,
                        const std::optional<Tensor>& up_NF) {
    const Tensor up = up_NF.value_or(Tensor());
    context->saved_data["kind"] = static_cast<int64_t>(kind);
    context->save_for_backward({gate_NF, up});
    return fused_forward(kind, gate_NF, up);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("a gate");
    const auto kind = static_cast<Gate>(context->saved_data["kind"].toInt());
    const variable_list saved = context->get_saved_variables();
    const Tensor dy_NF = gradients[0].contiguous();
    const Tensor dgate_NF = at::empty_like(saved[0]);
    const Tensor dup_NF = saved[1].defined() ? at::empty_like(saved[1]) : Tensor();
    const auto* gate = saved[0].const_data_ptr<float>();
    const auto* up = saved[1].defined() ? saved[1].const_data_ptr<float>() : nullptr;
    const auto* dy = dy_NF.const_data_ptr<float>();
    auto* dgate = dgate_NF.mutable_data_ptr<float>();
    auto* dup = up ? dup_NF.mutable_data_ptr<float>() : nullptr;
    const auto kernel = kind == Gate::silu ? cpu().swiglu_grad : cpu().geglu_grad;
    parallel(dy_NF.numel(), 2 * item_ns, [&](int64_t begin, int64_t end) {
      kernel(gate + begin, up ? up + begin : nullptr, dy + begin, dgate + begin,
             up ? dup + begin : nullptr, end - begin);
    });
    return {Tensor(), dgate_NF, dup_NF};
  }
};

// Fused path for plain tensors; `up` may be undefined.
Tensor fused(Gate kind, const Tensor& gate_NF, const Tensor& up_NF) {
  check(!up_NF.defined() || gate_NF.sizes() == up_NF.sizes(), "gate and up differ in shape");
  const Tensor gate = gate_NF.contiguous(), up = up_NF.defined() ? up_NF.contiguous() : up_NF;
  if (!wants_gradient(gate, up)) return fused_forward(kind, gate, up);
  // Autograd takes an absent tensor as an optional only.
  return GatedFunction::apply(kind, gate, up.defined() ? std::optional(up) : std::nullopt);
}

bool same_on_device(const Tensor& gate_NF, const Tensor& up_NF) {
  return gate_NF.sizes() == up_NF.sizes() && gate_NF.scalar_type() == up_NF.scalar_type() &&
         kernels_of(gate_NF, up_NF) != nullptr;
}

}  // namespace

Tensor gated(Gate gate, const Tensor& gate_NF, const Tensor& up_NF) {
  if (plain(gate_NF, up_NF)) return fused(gate, gate_NF, up_NF);
  if (same_on_device(gate_NF, up_NF)) return on_device::gated(gate, gate_NF, up_NF);
  return (gate == Gate::silu ? at::silu(gate_NF) : at::gelu(gate_NF, "tanh")) * up_NF;
}

Tensor swiglu(const Tensor& gate_NF, const Tensor& up_NF) {
  return gated(Gate::silu, gate_NF, up_NF);
}

Tensor geglu(const Tensor& gate_NF, const Tensor& up_NF) {
  return gated(Gate::gelu_tanh, gate_NF, up_NF);
}

Tensor gelu_tanh(const Tensor& x_NF) {
  if (plain(x_NF)) return fused(Gate::gelu_tanh, x_NF, Tensor());
  if (kernels_of(x_NF) != nullptr) return on_device::gated(Gate::gelu_tanh, x_NF, Tensor());
  return at::gelu(x_NF, "tanh");
}

}  // namespace alambic::kernels
