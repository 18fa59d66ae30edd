#include "alambic/kernels/bfloat_linear.h"

#include "alambic/kernels/cpu.h"
#include "alambic/kernels/launch.h"
#include "alambic/kernels/linear.h"
#include "alambic/kernels/packed_product.h"
#include "alambic/tensor/function.h"
#include "alambic/tensor/packed_view.h"

namespace alambic::kernels {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool has_bfloat_instructions() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

/// x · weightᵀ + bias, or x · weight + bias.
Tensor product_with(const Tensor& x_ND, const Tensor& weight, bool transposed,
                    const Tensor& bias_E) {
  const PackedRows rows = packed_rows(weight);
  const Tensor x = dense_rows(x_ND.to(at::kFloat));
  const Tensor sum_NE = at::empty({x.size(0), weight.size(transposed ? 0 : 1)}, x.options());
  if (transposed) {
    if (bias_E.defined()) sum_NE.copy_(bias_E.expand_as(sum_NE));
    packed_product(sum_NE, x, rows, /*accumulate=*/bias_E.defined());
  } else {
    packed_input_grad(sum_NE, x, rows);
    if (bias_E.defined()) sum_NE.add_(bias_E);
  }
  return sum_NE.to(at::kBFloat16);
}

struct BfloatLinearFunction : torch::autograd::Function<BfloatLinearFunction> {
  // An undefined tensor is no input that autograd could record, an empty optional is.
  static Tensor forward(AutogradContext* context, const Tensor& x_ND, const Tensor& weight,
                        const std::optional<Tensor>& bias_E, bool output_major) {
    context->save_for_backward({x_ND, weight});
    context->saved_data["output_major"] = output_major;
    context->saved_data["biased"] = bias_E.has_value();
    return product_with(x_ND, weight, output_major, bias_E.value_or(Tensor()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("linear");
    const variable_list saved = context->get_saved_variables();
    const Tensor &x_ND = saved[0], &weight = saved[1];
    const bool output_major = context->saved_data["output_major"].toBool();
    Tensor dx_ND, dweight, dbias_E;
    if (context->needs_input_grad(0)) {
      dx_ND = product_with(gradients[0], weight, !output_major, {});
    }
    if (context->needs_input_grad(1)) {
      const Tensor x = x_ND.to(at::kFloat), dy = gradients[0].to(at::kFloat);
      dweight = (output_major ? product(dy.t(), x) : product(x.t(), dy)).to(at::kBFloat16);
    }
    const bool biased = context->saved_data["biased"].toBool();
    if (biased && context->needs_input_grad(2)) dbias_E = gradients[0].sum(0);
    return {dx_ND, dweight, dbias_E, Tensor()};
  }
};

}  // namespace

bool widens_bfloat(const Tensor& x_ND, const Tensor& weight) {
  static const bool wanted = cpu().lanes >= 8 && !has_bfloat_instructions();
  return wanted && is_bfloat(x_ND) && x_ND.dim() == 2 && can_be_packed(weight) && weight.dim() == 2;
}

Tensor bfloat_linear(const Tensor& x_ND, const Tensor& weight, const Tensor& bias_E,
                     bool output_major) {
  if (!wants_gradient(x_ND, weight, bias_E)) {
    return product_with(x_ND, weight, output_major, bias_E);
  }
  const auto bias = bias_E.defined() ? std::optional<Tensor>(bias_E) : std::nullopt;
  return BfloatLinearFunction::apply(x_ND, weight, bias, output_major);
}

}  // namespace alambic::kernels
