#include "alambic/kernels/device_norm.h"

#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels::on_device {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

int64_t norm_rows(const Tensor& x_ND) { return x_ND.numel() / std::max<int64_t>(x_ND.size(-1), 1); }

float shift_of(const NormStyle& style) { return style.plus_one ? 1.0f : 0.0f; }

Tensor empty_floats(int64_t count, const Tensor& like) {
  return at::empty({count}, like.options().dtype(at::kFloat).requires_grad(false));
}

/// A call of the forward kernel; `added` and `inverse` may be undefined.
SumAndNorm forward_of(const Tensor& x_ND, const Tensor& added_ND, const Tensor& weight_D,
                      const NormStyle& style, const Tensor& inverse_N) {
  const DeviceCall call = call_for(x_ND);
  const SumAndNorm made{added_ND.defined() ? at::empty_like(x_ND) : x_ND, at::empty_like(x_ND)};
  call.run(call.table().rms_norm, {.x = call.at(x_ND),
                                   .residual = call.at(added_ND),
                                   .sum = added_ND.defined() ? call.at(made.sum_ND) : nullptr,
                                   .weight = call.at(weight_D),
                                   .y = call.at(made.norm_ND),
                                   .inverse = call.at<float>(inverse_N),
                                   .N = norm_rows(x_ND),
                                   .D = x_ND.size(-1),
                                   .epsilon = static_cast<float>(style.epsilon),
                                   .shift = shift_of(style),
                                   .wide = style.plus_one || style.wide,
                                   .type = device_number(x_ND),
                                   .weight_type = device_number(weight_D)});
  return made;
}

struct Gradients {
  Tensor dx_ND, dweight_D;
};

/// Those that are needed; `ds`: what comes to the sum from elsewhere, or undefined.
Gradients backward_of(const Tensor& s_ND, const Tensor& weight_D, const Tensor& inverse_N,
                      const Tensor& dy_ND, const Tensor& ds_ND, float shift, bool needs_x,
                      bool needs_weight) {
  const int64_t N = norm_rows(s_ND), D = s_ND.size(-1);
  const Tensor dy = dy_ND.contiguous(), ds = ds_ND.defined() ? ds_ND.contiguous() : ds_ND;
  Gradients found;
  Tensor parts_CD;
  if (needs_x) found.dx_ND = at::empty_like(s_ND);
  if (needs_weight) {
    found.dweight_D = at::empty_like(weight_D);
    parts_CD = empty_floats(norm_grad_parts(N) * D, s_ND);
  }
  const DeviceCall call = call_for(s_ND);
  call.run(call.table().rms_norm_grad, {.s = call.at(s_ND),
                                        .weight = call.at(weight_D),
                                        .dy = call.at(dy),
                                        .inverse = call.at<float>(inverse_N),
                                        .ds = call.at(ds),
                                        .dx = call.at(found.dx_ND),
                                        .parts = call.at<float>(parts_CD),
                                        .dweight = call.at(found.dweight_D),
                                        .N = N,
                                        .D = D,
                                        .shift = shift,
                                        .type = device_number(s_ND),
                                        .weight_type = device_number(weight_D)});
  return found;
}

struct NormFunction : torch::autograd::Function<NormFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x_ND, const Tensor& weight_D,
                        const NormStyle& style) {
    const Tensor inverse_N = empty_floats(norm_rows(x_ND), x_ND);
    context->save_for_backward({x_ND, weight_D, inverse_N});
    context->saved_data["shift"] = static_cast<double>(shift_of(style));
    return forward_of(x_ND, {}, weight_D, style, inverse_N).norm_ND;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("rms_norm");
    const variable_list saved = context->get_saved_variables();
    const auto shift = static_cast<float>(context->saved_data["shift"].toDouble());
    const Gradients found = backward_of(saved[0], saved[1], saved[2], gradients[0], {}, shift,
                                        context->needs_input_grad(0), context->needs_input_grad(1));
    return {found.dx_ND, found.dweight_D, Tensor()};
  }
};

struct SumAndNormFunction : torch::autograd::Function<SumAndNormFunction> {
  static variable_list forward(AutogradContext* context, const Tensor& x_ND, const Tensor& added_ND,
                               const Tensor& weight_D, const NormStyle& style) {
    const Tensor inverse_N = empty_floats(norm_rows(x_ND), x_ND);
    const SumAndNorm made = forward_of(x_ND, added_ND, weight_D, style, inverse_N);
    context->save_for_backward({made.sum_ND, weight_D, inverse_N});
    context->saved_data["shift"] = static_cast<double>(shift_of(style));
    context->set_materialize_grads(false);
    return {made.sum_ND, made.norm_ND};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("a sum and its norm");
    const variable_list saved = context->get_saved_variables();
    const auto shift = static_cast<float>(context->saved_data["shift"].toDouble());
    const bool needs_x = context->needs_input_grad(0) || context->needs_input_grad(1);
    if (!gradients[1].defined()) return {gradients[0], gradients[0], Tensor(), Tensor()};
    const Gradients found = backward_of(saved[0], saved[1], saved[2], gradients[1], gradients[0],
                                        shift, needs_x, context->needs_input_grad(2));
    return {found.dx_ND, found.dx_ND, found.dweight_D, Tensor()};
  }
};

}  // namespace

bool takes_norm(const Tensor& x_ND, const Tensor& weight_D) {
  return weight_D.dim() == 1 && weight_D.numel() == x_ND.size(-1) &&
         kernels_of(x_ND, weight_D) != nullptr;
}

Tensor rms_norm(const Tensor& x_ND, const Tensor& weight_D, const NormStyle& style) {
  const Tensor x = x_ND.contiguous(), weight = weight_D.contiguous();
  return wants_gradient(x, weight) ? NormFunction::apply(x, weight, style)
                                   : forward_of(x, {}, weight, style, {}).norm_ND;
}

SumAndNorm add_and_norm(const Tensor& x_ND, const Tensor& added_ND, const Tensor& weight_D,
                        const NormStyle& style) {
  const Tensor x = x_ND.contiguous(), added = added_ND.contiguous(), weight = weight_D.contiguous();
  if (!wants_gradient(x, added, weight)) return forward_of(x, added, weight, style, {});
  const variable_list made = SumAndNormFunction::apply(x, added, weight, style);
  return {made[0], made[1]};
}

}  // namespace alambic::kernels::on_device
