#include "alambic/kernels/device_functions.h"

#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels::on_device {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Turns by the angle (direction 1) or back (−1).
Tensor turned(const Tensor& x_NHd, const Tensor& cos_Nd, const Tensor& sin_Nd, float direction) {
  const DeviceCall call = call_for(x_NHd);
  const Tensor x = dense_rows(x_NHd);
  const Tensor y = at::empty(x.sizes(), x.options());
  DeviceHeadParts parts = {.part = {}, .count = 1, .type = device_number(x)};
  DeviceHeads& heads = parts.part[0];
  heads.x = call.at(x);
  heads.x_row = x.stride(0);
  heads.x_head = x.stride(1);
  heads.cos = call.at<float>(cos_Nd);
  heads.sin = call.at<float>(sin_Nd);
  heads.turned = 2 * cos_Nd.size(1);
  heads.direction = direction;
  heads.y = call.at(y);
  heads.N = x.size(0);
  heads.H = x.size(1);
  heads.d = x.size(2);
  call.run(call.table().heads, parts);
  return y;
}

struct RopeFunction : torch::autograd::Function<RopeFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x_NHd, const Tensor& cos_Nd,
                        const Tensor& sin_Nd) {
    context->save_for_backward({cos_Nd, sin_Nd});
    return turned(x_NHd, cos_Nd, sin_Nd, 1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("rope");
    const variable_list saved = context->get_saved_variables();
    return {turned(gradients[0], saved[0], saved[1], -1), Tensor(), Tensor()};
  }
};

// Rows of gate and up may lie apart, as the halves of one product do.
DeviceGated gate_job(const DeviceCall& call, Gate kind, const Tensor& gate, const Tensor& up) {
  return {.gate = call.at(gate),
          .up = call.at(up),
          .gate_row = gate.stride(0),
          .up_row = up.defined() ? up.stride(0) : 0,
          .y = nullptr,
          .dy = nullptr,
          .dgate = nullptr,
          .dup = nullptr,
          .N = gate.size(0),
          .F = gate.size(1),
          .kind = kind == Gate::silu ? DeviceGate::silu : DeviceGate::gelu_tanh,
          .type = device_number(gate)};
}

Tensor dense_like(const Tensor& x) {
  return at::empty(x.sizes(), x.options().requires_grad(false));
}

Tensor gate_forward(Gate kind, const Tensor& gate_NF, const Tensor& up_NF) {
  const DeviceCall call = call_for(gate_NF);
  const Tensor y = dense_like(gate_NF);
  DeviceGated job = gate_job(call, kind, gate_NF, up_NF);
  job.y = call.at(y);
  call.run(call.table().gated, job);
  return y;
}

struct GatedFunction : torch::autograd::Function<GatedFunction> {
  static Tensor forward(AutogradContext* context, Gate kind, const Tensor& gate_NF,
                        const std::optional<Tensor>& up_NF) {
    const Tensor up = up_NF.value_or(Tensor());
    context->saved_data["kind"] = static_cast<int64_t>(kind);
    context->save_for_backward({gate_NF, up});
    return gate_forward(kind, gate_NF, up);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("a gate");
    const auto kind = static_cast<Gate>(context->saved_data["kind"].toInt());
    const variable_list saved = context->get_saved_variables();
    const Tensor dy = gradients[0].contiguous(), dgate = dense_like(saved[0]);
    const Tensor dup = saved[1].defined() ? dense_like(saved[1]) : Tensor();
    const DeviceCall call = call_for(dy);
    DeviceGated job = gate_job(call, kind, saved[0], saved[1]);
    job.dy = call.at(dy);
    job.dgate = call.at(dgate);
    job.dup = call.at(dup);
    call.run(call.table().gated_grad, job);
    return {Tensor(), dgate, dup};
  }
};

Tensor masked(const Tensor& x_ND, const DropoutMask& mask) {
  const Tensor x = x_ND.contiguous(), y = at::empty_like(x);
  const auto& w = mask.words;
  const DeviceCall call = call_for(x);
  call.run(call.table().dropout, {.x = call.at(x),
                                  .y = call.at(y),
                                  .n = x.numel(),
                                  .words = {w[0], w[1], w[2], w[3]},
                                  .least = mask.least,
                                  .kept = mask.kept,
                                  .type = device_number(x)});
  return y;
}

struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x_ND, const DropoutMask& mask) {
    context->saved_data["words"] = std::vector<int64_t>(mask.words.begin(), mask.words.end());
    context->saved_data["least"] = static_cast<int64_t>(mask.least);
    context->saved_data["kept"] = static_cast<double>(mask.kept);
    return masked(x_ND, mask);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("dropout");
    DropoutMask mask{.words = {},
                     .least = static_cast<uint64_t>(context->saved_data["least"].toInt()),
                     .kept = static_cast<float>(context->saved_data["kept"].toDouble())};
    std::ranges::copy(context->saved_data["words"].toIntVector(), mask.words.begin());
    return {masked(gradients[0], mask), Tensor()};
  }
};

}  // namespace

Tensor rope(const Tensor& x_NHd, const Tensor& cos_Nd, const Tensor& sin_Nd) {
  const Tensor cos = cos_Nd.contiguous(), sin = sin_Nd.contiguous();
  return wants_gradient(x_NHd) ? RopeFunction::apply(x_NHd, cos, sin) : turned(x_NHd, cos, sin, 1);
}

Tensor gated(Gate gate, const Tensor& gate_NF, const Tensor& up_NF) {
  if (gate_NF.dim() != 2) {
    const auto rows = [&](const Tensor& x) {
      return x.defined() ? x.reshape({-1, gate_NF.size(-1)}) : x;
    };
    return on_device::gated(gate, rows(gate_NF), rows(up_NF)).view(gate_NF.sizes());
  }
  const Tensor g = dense_rows(gate_NF), up = up_NF.defined() ? dense_rows(up_NF) : up_NF;
  if (!wants_gradient(g, up)) return gate_forward(gate, g, up);
  // Autograd takes an absent tensor as an optional only.
  return GatedFunction::apply(gate, g, up.defined() ? std::optional(up) : std::nullopt);
}

Tensor dropout(const Tensor& x_ND, const DropoutMask& mask) {
  return wants_gradient(x_ND) ? DropoutFunction::apply(x_ND, mask) : masked(x_ND, mask);
}

}  // namespace alambic::kernels::on_device
