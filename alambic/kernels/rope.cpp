#include "alambic/kernels/rope.h"

#include "alambic/kernels/cpu.h"
#include "alambic/kernels/device_functions.h"
#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Turns by the angle (direction 1) or back (−1).
Tensor rotate(const Tensor& x_NHd, const Tensor& cos_Nd, const Tensor& sin_Nd, float direction) {
  const Tensor x = dense_rows(x_NHd);
  const int64_t N = x.size(0), H = x.size(1), d = x.size(2);
  const Tensor y = at::empty({N, H, d}, x.options());
  const HeadsArgs all = {.x = x.const_data_ptr<float>(),
                         .x_row = x.stride(0),
                         .x_head = x.stride(1),
                         .cos = cos_Nd.const_data_ptr<float>(),
                         .sin = sin_Nd.const_data_ptr<float>(),
                         .y = y.mutable_data_ptr<float>(),
                         .N = N,
                         .H = H,
                         .d = d};
  parallel(N, 0.3 * static_cast<double>(H * d), [&](int64_t begin, int64_t end) {
    HeadsArgs part = all;
    part.x += begin * all.x_row;
    part.cos += begin * (d / 2);
    part.sin += begin * (d / 2);
    part.y += begin * H * d;
    part.N = end - begin;
    cpu().rope(part, direction);
  });
  return y;
}

struct RopeFunction : torch::autograd::Function<RopeFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& x_NHd, const Tensor& cos_Nd,
                        const Tensor& sin_Nd) {
    context->save_for_backward({cos_Nd, sin_Nd});
    return rotate(x_NHd, cos_Nd, sin_Nd, 1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("rope");
    const variable_list saved = context->get_saved_variables();
    return {rotate(gradients[0], saved[0], saved[1], -1), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor rope(const Tensor& x_NHd, const Tensor& cos_Nd, const Tensor& sin_Nd) {
  const int64_t half = x_NHd.size(-1) / 2;
  if (plain(x_NHd, cos_Nd, sin_Nd) && cos_Nd.is_contiguous() && sin_Nd.is_contiguous()) {
    check(x_NHd.dim() == 3 && x_NHd.size(2) % 2 == 0 && cos_Nd.sizes() == sin_Nd.sizes() &&
              cos_Nd.size(0) == x_NHd.size(0) && cos_Nd.size(1) == half,
          "rope: tables of another shape than the heads");
    return wants_gradient(x_NHd) ? RopeFunction::apply(x_NHd, cos_Nd, sin_Nd)
                                 : rotate(x_NHd, cos_Nd, sin_Nd, 1);
  }
  const bool rows = x_NHd.dim() == 3 && x_NHd.size(2) % 2 == 0 &&
                    cos_Nd.sizes() == sin_Nd.sizes() && cos_Nd.size(0) == x_NHd.size(0) &&
                    cos_Nd.size(1) == half;
  if (rows && cos_Nd.scalar_type() == at::kFloat && sin_Nd.scalar_type() == at::kFloat &&
      kernels_of(x_NHd, cos_Nd, sin_Nd) != nullptr) {
    return on_device::rope(x_NHd, cos_Nd, sin_Nd);
  }
  const Tensor low = x_NHd.narrow(-1, 0, half);
  const Tensor high = x_NHd.narrow(-1, half, half);
  const Tensor cos = cos_Nd.unsqueeze(1).to(x_NHd.scalar_type());
  const Tensor sin = sin_Nd.unsqueeze(1).to(x_NHd.scalar_type());
  return at::cat({low * cos - high * sin, high * cos + low * sin}, -1);
}

}  // namespace alambic::kernels
