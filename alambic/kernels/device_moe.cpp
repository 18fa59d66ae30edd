#include "alambic/kernels/device_moe.h"

#include <ATen/ops/_grouped_mm.h>

#include "alambic/base/error.h"
#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels::on_device {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor numbers(int64_t count, const Tensor& like) {
  return at::empty({count}, like.options().dtype(at::kInt).requires_grad(false));
}

DeviceMoe job_of(const DeviceCall& call, const Routed& routed, const Tensor& rows) {
  return {.from = nullptr,
          .order = call.at<int32_t>(routed.order_P),
          .place = call.at<int32_t>(routed.place_P),
          .weight = nullptr,
          .base = nullptr,
          .to = nullptr,
          .dto = nullptr,
          .dfrom = nullptr,
          .dweight = nullptr,
          .N = routed.place_P.numel() / std::max<int64_t>(routed.top_k, 1),
          .k = routed.top_k,
          .D = rows.size(1),
          .type = device_number(rows)};
}

Tensor gathered(const Tensor& x_ND, const Routed& routed) {
  const DeviceCall call = call_for(x_ND);
  const Tensor to = at::empty({routed.place_P.numel(), x_ND.size(1)}, x_ND.options());
  DeviceMoe job = job_of(call, routed, x_ND);
  job.from = call.at(x_ND);
  job.to = call.at(to);
  call.run(call.table().moe_gather, job);
  return to;
}

// `weight` and `base` may be undefined.
Tensor combined(const Tensor& y_PD, const Tensor& weight, const Tensor& base,
                const Routed& routed) {
  const DeviceCall call = call_for(y_PD);
  DeviceMoe job = job_of(call, routed, y_PD);
  const Tensor to = at::empty({job.N, job.D}, y_PD.options());
  job.from = call.at(y_PD);
  job.weight = call.at<float>(weight);
  job.base = call.at(base);
  job.to = call.at(to);
  call.run(call.table().moe_combine, job);
  return to;
}

struct GatherFunction : torch::autograd::Function<GatherFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x_ND, const Routed& routed) {
    context->save_for_backward({routed.order_P, routed.place_P});
    context->saved_data["top_k"] = routed.top_k;
    return gathered(x_ND, routed);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("gather_rows");
    const variable_list saved = context->get_saved_variables();
    const Routed routed{
        .order_P = saved[0], .place_P = saved[1], .top_k = context->saved_data["top_k"].toInt()};
    return {combined(gradients[0].contiguous(), {}, {}, routed), Tensor()};
  }
};

struct CombineFunction : torch::autograd::Function<CombineFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& y_PD, const Tensor& weights_NK,
                        const Tensor& base_ND, const Routed& routed) {
    const Tensor weight = weights_NK.to(at::kFloat).contiguous();
    context->save_for_backward({y_PD, weight, routed.order_P, routed.place_P});
    context->saved_data["top_k"] = routed.top_k;
    context->saved_data["type"] = static_cast<int64_t>(weights_NK.scalar_type());
    return combined(y_PD, weight, base_ND, routed);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("combine_rows");
    const variable_list saved = context->get_saved_variables();
    const Tensor &y_PD = saved[0], &weight_NK = saved[1];
    const Routed routed{
        .order_P = saved[2], .place_P = saved[3], .top_k = context->saved_data["top_k"].toInt()};
    const Tensor dto = gradients[0].contiguous();
    const Tensor dy = at::empty_like(y_PD), dweight = at::empty_like(weight_NK);
    const DeviceCall call = call_for(dto);
    DeviceMoe job = job_of(call, routed, dto);
    job.from = call.at(y_PD);
    job.weight = call.at<float>(weight_NK);
    job.dto = call.at(dto);
    job.dfrom = call.at(dy);
    job.dweight = call.at<float>(dweight);
    call.run(call.table().moe_combine_grad, job);
    const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    return {dy, dweight.to(type), gradients[0], Tensor()};
  }
};

}  // namespace

Routed route(const Tensor& experts_NK, int64_t experts) {
  check(experts <= most_experts, "{} experts, the kernel takes {}", experts, most_experts);
  const Tensor given = experts_NK.contiguous();
  const int64_t pairs = given.numel();
  const Routed routed{numbers(experts, given), numbers(experts, given), numbers(pairs, given),
                      numbers(pairs, given), experts_NK.size(-1)};
  const Tensor scratch = numbers(route_scratch(pairs, experts), given);
  const DeviceCall call = call_for(given);
  call.run(call.table().route, {.experts = call.at<int64_t>(given),
                                .pairs = pairs,
                                .E = experts,
                                .counts = call.at<int32_t>(routed.counts_E),
                                .ends = call.at<int32_t>(routed.ends_E),
                                .order = call.at<int32_t>(routed.order_P),
                                .place = call.at<int32_t>(routed.place_P),
                                .scratch = call.at<int32_t>(scratch)});
  return routed;
}

Tensor gather_rows(const Tensor& x_ND, const Routed& routed) {
  const Tensor x = x_ND.contiguous();
  return wants_gradient(x) ? GatherFunction::apply(x, routed) : gathered(x, routed);
}

Tensor combine_rows(const Tensor& y_PD, const Tensor& weights_NK, const Tensor& base_ND,
                    const Routed& routed) {
  const Tensor y = y_PD.contiguous(), base = base_ND.contiguous();
  check(y.scalar_type() == base.scalar_type(), "combine_rows: two dtypes");
  if (!wants_gradient(y, weights_NK, base)) {
    return combined(y, weights_NK.to(at::kFloat).contiguous(), base, routed);
  }
  return CombineFunction::apply(y, weights_NK, base, routed);
}

Tensor grouped_product(const Tensor& x_PD, const Tensor& weights_EFD, const Routed& routed) {
  return at::_grouped_mm(x_PD, weights_EFD.transpose(1, 2), routed.ends_E);
}

bool takes_grouped_product(const Tensor& x_PD, const Tensor& weights_EFD) {
  const auto whole = [&](int64_t width) { return width * x_PD.element_size() % 16 == 0; };
  return x_PD.scalar_type() == weights_EFD.scalar_type() && x_PD.is_contiguous() &&
         weights_EFD.is_contiguous() && whole(weights_EFD.size(1)) && whole(weights_EFD.size(2));
}

}  // namespace alambic::kernels::on_device
