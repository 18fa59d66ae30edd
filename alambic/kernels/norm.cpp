#include "alambic/kernels/norm.h"

#include "alambic/kernels/cpu.h"
#include "alambic/kernels/device_norm.h"
#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Rows {
  int64_t N, D;
  double item_ns;
};

Rows rows_of(const Tensor& x_ND) {
  const int64_t D = x_ND.size(-1);
  return {x_ND.numel() / std::max<int64_t>(D, 1), D, 0.3 * static_cast<double>(D) + 5};
}

Tensor fused_forward(const Tensor& x_ND, const Tensor& weight_D, double epsilon, float* inverse) {
  const Rows rows = rows_of(x_ND);
  const Tensor y = at::empty_like(x_ND);
  const auto* x = x_ND.const_data_ptr<float>();
  const auto* weight = weight_D.const_data_ptr<float>();
  auto* out = y.mutable_data_ptr<float>();
  parallel(rows.N, rows.item_ns, [&](int64_t begin, int64_t end) {
    cpu().rms_norm(x + begin * rows.D, weight, epsilon, out + begin * rows.D,
                   inverse ? inverse + begin : nullptr, end - begin, rows.D);
  });
  return y;
}

struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x_ND, const Tensor& weight_D,
                        double epsilon) {
    const Tensor inverse_N = at::empty({rows_of(x_ND).N}, x_ND.options());
    context->save_for_backward({x_ND, weight_D, inverse_N});
    return fused_forward(x_ND, weight_D, epsilon, inverse_N.mutable_data_ptr<float>());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("rms_norm");
    const variable_list saved = context->get_saved_variables();
    const Tensor &x_ND = saved[0], &weight_D = saved[1];
    const Tensor dy_ND = gradients[0].contiguous();
    const Rows rows = rows_of(x_ND);
    // Partial sums of dweight over blocks of fixed size: the same bits for any number of threads.
    constexpr int64_t block = 32;
    const int64_t blocks = (rows.N + block - 1) / block;
    const Tensor dx_ND = context->needs_input_grad(0) ? at::empty_like(x_ND) : Tensor();
    const Tensor parts_CD =
        context->needs_input_grad(1) ? at::empty({blocks, rows.D}, x_ND.options()) : Tensor();
    const auto* x = x_ND.const_data_ptr<float>();
    const auto* weight = weight_D.const_data_ptr<float>();
    const auto* inverse = saved[2].const_data_ptr<float>();
    const auto* dy = dy_ND.const_data_ptr<float>();
    auto* dx = dx_ND.defined() ? dx_ND.mutable_data_ptr<float>() : nullptr;
    auto* parts = parts_CD.defined() ? parts_CD.mutable_data_ptr<float>() : nullptr;
    parallel(blocks, 3 * block * rows.item_ns, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t n = i * block, at = n * rows.D;
        cpu().rms_norm_grad(x + at, weight, inverse + n, dy + at, dx ? dx + at : nullptr,
                            parts ? parts + i * rows.D : nullptr, std::min(block, rows.N - n),
                            rows.D);
      }
    });
    Tensor dweight_D;
    if (parts) {
      dweight_D = at::zeros_like(weight_D);
      auto* total = dweight_D.mutable_data_ptr<float>();
      for (int64_t i = 0; i < blocks; ++i) {
        for (int64_t d = 0; d < rows.D; ++d) total[d] += parts[i * rows.D + d];
      }
    }
    return {dx_ND, dweight_D, Tensor()};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x_ND, const Tensor& weight_D, double epsilon) {
  if (plain(x_ND, weight_D) && weight_D.is_contiguous()) {
    check(weight_D.numel() == x_ND.size(-1), "rms_norm: width {}, weight of {}", x_ND.size(-1),
          weight_D.numel());
    const Tensor x = x_ND.contiguous();
    return wants_gradient(x, weight_D) ? RmsNormFunction::apply(x, weight_D, epsilon)
                                       : fused_forward(x, weight_D, epsilon, nullptr);
  }
  if (on_device::takes_norm(x_ND, weight_D)) {
    return on_device::rms_norm(x_ND, weight_D, {.epsilon = epsilon});
  }
  const auto wide = x_ND.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor x = x_ND.to(wide);
  const Tensor scale = (x.square().mean(-1, true) + epsilon).rsqrt();
  if (weight_D.scalar_type() != x_ND.scalar_type()) {
    return (weight_D * (x * scale)).to(x_ND.scalar_type());
  }
  return weight_D * (x * scale).to(x_ND.scalar_type());
}

Tensor layer_norm(const Tensor& x_ND, const Tensor& weight_D, const Tensor& bias_D,
                  double epsilon) {
  return at::layer_norm(x_ND, weight_D.sizes(), weight_D, bias_D, epsilon);
}

}  // namespace alambic::kernels
