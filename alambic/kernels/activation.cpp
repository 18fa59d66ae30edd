#include "alambic/kernels/activation.h"

#include "alambic/kernels/cpu.h"
#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double item_ns = 1;  // an element: an exponential and three streams

Tensor fused_forward(const Tensor& gate_NF, const Tensor& up_NF) {
  const Tensor y = at::empty_like(gate_NF);
  const auto* gate = gate_NF.const_data_ptr<float>();
  const auto* up = up_NF.const_data_ptr<float>();
  auto* out = y.mutable_data_ptr<float>();
  parallel(y.numel(), item_ns, [&](int64_t begin, int64_t end) {
    cpu().swiglu(gate + begin, up + begin, out + begin, end - begin);
  });
  return y;
}

struct SwigluFunction : torch::autograd::Function<SwigluFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& gate_NF, const Tensor& up_NF) {
    context->save_for_backward({gate_NF, up_NF});
    return fused_forward(gate_NF, up_NF);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("swiglu");
    const variable_list saved = context->get_saved_variables();
    const Tensor dy_NF = gradients[0].contiguous();
    const Tensor dgate_NF = at::empty_like(saved[0]), dup_NF = at::empty_like(saved[1]);
    const auto* gate = saved[0].const_data_ptr<float>();
    const auto* up = saved[1].const_data_ptr<float>();
    const auto* dy = dy_NF.const_data_ptr<float>();
    auto* dgate = dgate_NF.mutable_data_ptr<float>();
    auto* dup = dup_NF.mutable_data_ptr<float>();
    parallel(dy_NF.numel(), 2 * item_ns, [&](int64_t begin, int64_t end) {
      cpu().swiglu_grad(gate + begin, up + begin, dy + begin, dgate + begin, dup + begin,
                        end - begin);
    });
    return {dgate_NF, dup_NF};
  }
};

}  // namespace

Tensor swiglu(const Tensor& gate_NF, const Tensor& up_NF) {
  if (!plain(gate_NF, up_NF)) return at::silu(gate_NF) * up_NF;
  check(gate_NF.sizes() == up_NF.sizes(), "swiglu: gate and up differ in shape");
  const Tensor gate = gate_NF.contiguous(), up = up_NF.contiguous();
  return wants_gradient(gate, up) ? SwigluFunction::apply(gate, up) : fused_forward(gate, up);
}

Tensor gelu_tanh(const Tensor& x_NF) { return at::gelu(x_NF, "tanh"); }

}  // namespace alambic::kernels
