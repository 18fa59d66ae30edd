#include "alambic/kernels/device_functions.h"

#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels::on_device {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor empty_floats(at::IntArrayRef sizes, const Tensor& like) {
  return at::empty(sizes, like.options().dtype(at::kFloat).requires_grad(false));
}

int64_t rows_of(const Tensor& x_ND) { return x_ND.numel() / std::max<int64_t>(x_ND.size(-1), 1); }

Tensor norm_forward(const Tensor& x_ND, const Tensor& weight_D, double epsilon,
                    const Tensor& inverse_N) {
  const DeviceCall call = call_for(x_ND);
  const Tensor y_ND = at::empty_like(x_ND);
  call.run(call.table().rms_norm, {.x = call.at(x_ND),
                                   .residual = nullptr,
                                   .sum = nullptr,
                                   .weight = call.at(weight_D),
                                   .y = call.at(y_ND),
                                   .inverse = call.at<float>(inverse_N),
                                   .N = rows_of(x_ND),
                                   .D = x_ND.size(-1),
                                   .epsilon = static_cast<float>(epsilon),
                                   .type = device_number(x_ND),
                                   .weight_type = device_number(weight_D)});
  return y_ND;
}

struct NormFunction : torch::autograd::Function<NormFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x_ND, const Tensor& weight_D,
                        double epsilon) {
    const Tensor inverse_N = empty_floats({rows_of(x_ND)}, x_ND);
    context->save_for_backward({x_ND, weight_D, inverse_N});
    return norm_forward(x_ND, weight_D, epsilon, inverse_N);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("rms_norm");
    const variable_list saved = context->get_saved_variables();
    const Tensor &x_ND = saved[0], &weight_D = saved[1];
    const Tensor dy_ND = gradients[0].contiguous();
    const int64_t N = rows_of(x_ND), D = x_ND.size(-1);
    Tensor dx_ND, dweight_D, parts_CD;
    if (context->needs_input_grad(0)) dx_ND = at::empty_like(x_ND);
    if (context->needs_input_grad(1)) {
      dweight_D = at::empty_like(weight_D);
      parts_CD = empty_floats({norm_grad_parts(N), D}, x_ND);
    }
    const DeviceCall call = call_for(x_ND);
    call.run(call.table().rms_norm_grad, {.s = call.at(x_ND),
                                          .weight = call.at(weight_D),
                                          .dy = call.at(dy_ND),
                                          .inverse = call.at<float>(saved[2]),
                                          .ds = nullptr,
                                          .dx = call.at(dx_ND),
                                          .parts = call.at<float>(parts_CD),
                                          .dweight = call.at(dweight_D),
                                          .N = N,
                                          .D = D,
                                          .type = device_number(x_ND),
                                          .weight_type = device_number(weight_D)});
    return {dx_ND, dweight_D, Tensor()};
  }
};

// Turns by the angle (direction 1) or back (−1).
Tensor turned(const Tensor& x_NHd, const Tensor& cos_Nd, const Tensor& sin_Nd, float direction) {
  const DeviceCall call = call_for(x_NHd);
  const Tensor x = dense_rows(x_NHd);
  const Tensor y = at::empty(x.sizes(), x.options());
  call.run(call.table().heads, {.x = call.at(x),
                                .x_row = x.stride(0),
                                .x_head = x.stride(1),
                                .norm_weight = nullptr,
                                .epsilon = 0,
                                .cos = call.at<float>(cos_Nd),
                                .sin = call.at<float>(sin_Nd),
                                .direction = direction,
                                .y = call.at(y),
                                .cache = nullptr,
                                .cache_page = 0,
                                .cache_head = 0,
                                .cache_entry = 0,
                                .pages = {},
                                .places = nullptr,
                                .N = x.size(0),
                                .H = x.size(1),
                                .d = x.size(2),
                                .type = device_number(x)});
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

DeviceGated gate_job(const DeviceCall& call, Gate kind, const Tensor& gate, const Tensor& up) {
  return {.gate = call.at(gate),
          .up = call.at(up),
          .y = nullptr,
          .dy = nullptr,
          .dgate = nullptr,
          .dup = nullptr,
          .n = gate.numel(),
          .kind = kind == Gate::silu ? DeviceGate::silu : DeviceGate::gelu_tanh,
          .type = device_number(gate)};
}

Tensor gate_forward(Gate kind, const Tensor& gate_NF, const Tensor& up_NF) {
  const DeviceCall call = call_for(gate_NF);
  const Tensor y = at::empty_like(gate_NF);
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
    const Tensor dy = gradients[0].contiguous(), dgate = at::empty_like(saved[0]);
    const Tensor dup = saved[1].defined() ? at::empty_like(saved[1]) : Tensor();
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

Tensor rms_norm(const Tensor& x_ND, const Tensor& weight_D, double epsilon) {
  const Tensor x = x_ND.contiguous(), weight = weight_D.contiguous();
  return wants_gradient(x, weight) ? NormFunction::apply(x, weight, epsilon)
                                   : norm_forward(x, weight, epsilon, Tensor());
}

Tensor rope(const Tensor& x_NHd, const Tensor& cos_Nd, const Tensor& sin_Nd) {
  const Tensor cos = cos_Nd.contiguous(), sin = sin_Nd.contiguous();
  return wants_gradient(x_NHd) ? RopeFunction::apply(x_NHd, cos, sin) : turned(x_NHd, cos, sin, 1);
}

Tensor gated(Gate gate, const Tensor& gate_NF, const Tensor& up_NF) {
  const Tensor g = gate_NF.contiguous(), up = up_NF.defined() ? up_NF.contiguous() : up_NF;
  if (!wants_gradient(g, up)) return gate_forward(gate, g, up);
  // Autograd takes an absent tensor as an optional only.
  return GatedFunction::apply(gate, g, up.defined() ? std::optional(up) : std::nullopt);
}

Tensor dropout(const Tensor& x_ND, const DropoutMask& mask) {
  return wants_gradient(x_ND) ? DropoutFunction::apply(x_ND, mask) : masked(x_ND, mask);
}

}  // namespace alambic::kernels::on_device
