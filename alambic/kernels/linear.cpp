#include "alambic/kernels/linear.h"

#include "alambic/kernels/bfloat_linear.h"
#include "alambic/kernels/cpu.h"
#include "alambic/kernels/launch.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows or columns lie dense.
bool dense(const Tensor& x) { return x.stride(1) == 1 || x.stride(0) == 1; }

/// SSE2 kernels have no fused multiply-add; MKL's are better at large products.
bool takes_own_kernel(const Tensor& a_MK, const Tensor& b_KE) {
  return a_MK.dim() == 2 && b_KE.dim() == 2 && plain(a_MK, b_KE) && dense(b_KE) &&
         (a_MK.size(0) <= 16 || cpu().lanes >= 8);
}

/// Splits the larger side of c between threads, in steps of a few cache lines.
void run(const Tensor& c_ME, const Tensor& a_MK, const Tensor& b_KE, bool accumulate) {
  const int64_t M = a_MK.size(0), K = a_MK.size(1), E = b_KE.size(1);
  check(b_KE.size(0) == K, "product: [{}, {}] by [{}, {}]", M, K, b_KE.size(0), E);
  const bool transposed = b_KE.stride(1) != 1, many = M >= many_rows();
  const Tensor a = transposed && !many && a_MK.stride(1) != 1 ? a_MK.contiguous() : a_MK;
  const ProductArgs all = {.a = a.const_data_ptr<float>(),
                           .a_row = a.stride(0),
                           .a_col = a.stride(1),
                           .b = b_KE.const_data_ptr<float>(),
                           .b_row = b_KE.stride(transposed ? 1 : 0),
                           .c = c_ME.mutable_data_ptr<float>(),
                           .c_row = c_ME.stride(0),
                           .M = M,
                           .K = K,
                           .E = E,
                           .accumulate = accumulate};
  auto* kernel = many ? (transposed ? cpu().product_many_transposed : cpu().product_many)
                      : (transposed ? cpu().product_transposed : cpu().product);
  constexpr int64_t step = 64;
  const bool by_rows = M >= 4 * step && M > E;
  const int64_t parts = ((by_rows ? M : E) + step - 1) / step;
  const auto other = static_cast<double>(by_rows ? E : M);
  parallel(parts, static_cast<double>(step * K) * std::max(0.1, other / 40),
           [&](int64_t begin, int64_t end) {
             ProductArgs part = all;
             const int64_t first = begin * step;
             if (by_rows) {
               part.M = std::min(end * step, M) - first;
               part.a += first * part.a_row;
               part.c += first * part.c_row;
             } else {
               part.E = std::min(end * step, E) - first;
               part.b += first * (transposed ? part.b_row : 1);
               part.c += first;
             }
             kernel(part);
           });
}

/// x · weight_io + bias, weight_io being [in, out] in whatever order it lies.
Tensor forward(const Tensor& x_ND, const Tensor& weight_io, const Tensor& bias_E) {
  const int64_t N = x_ND.size(0), E = weight_io.size(1);
  if (!bias_E.defined()) return product(x_ND, weight_io);
  const Tensor y = bias_E.expand({N, E}).clone(at::MemoryFormat::Contiguous);
  add_product(y, x_ND, weight_io);
  return y;
}

/// The weight is the parameter as stored; `output_major` says that it is [out, in].
struct LinearFunction : torch::autograd::Function<LinearFunction> {
  // An undefined tensor is no input that autograd could record, an empty optional is.
  static Tensor forward(AutogradContext* context, const Tensor& x_ND, const Tensor& weight,
                        const std::optional<Tensor>& bias_E, bool output_major) {
    context->save_for_backward({x_ND, weight});
    context->saved_data["output_major"] = output_major;
    context->saved_data["biased"] = bias_E.has_value();
    return kernels::forward(x_ND, output_major ? weight.t() : weight, bias_E.value_or(Tensor()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("linear");
    const variable_list saved = context->get_saved_variables();
    const Tensor &x_ND = saved[0], &weight = saved[1], dy_NE = gradients[0].contiguous();
    const bool output_major = context->saved_data["output_major"].toBool();
    Tensor dx_ND, dweight, dbias_E;
    if (context->needs_input_grad(0)) {
      dx_ND = product(dy_NE, output_major ? weight : weight.t());
    }
    if (context->needs_input_grad(1)) {
      dweight = output_major ? product(dy_NE.t(), x_ND) : product(x_ND.t(), dy_NE);
    }
    const bool biased = context->saved_data["biased"].toBool();
    if (biased && context->needs_input_grad(2)) dbias_E = dy_NE.sum(0);
    return {dx_ND, dweight, dbias_E, Tensor()};
  }
};

Tensor apply(const Tensor& x_ND, const Tensor& weight, const Tensor& bias_E, bool output_major) {
  if (!wants_gradient(x_ND, weight, bias_E)) {
    return forward(x_ND, output_major ? weight.t() : weight, bias_E);
  }
  const auto bias = bias_E.defined() ? std::optional<Tensor>(bias_E) : std::nullopt;
  return LinearFunction::apply(x_ND, weight, bias, output_major);
}

bool fits(const Tensor& x_ND, const Tensor& weight, const Tensor& bias_E) {
  return takes_own_kernel(x_ND, weight) && dense(x_ND) && (!bias_E.defined() || plain(bias_E));
}

/// Whether c can take our own product; a sum of another shape is our mistake.
bool fits_sum(const Tensor& c_ME, const Tensor& a_MK, const Tensor& b_KE) {
  check(c_ME.size(0) == a_MK.size(0) && c_ME.size(1) == b_KE.size(1),
        "the sum of a product has another shape");
  return takes_own_kernel(a_MK, b_KE) && plain(c_ME) && c_ME.stride(1) == 1;
}

}  // namespace

Tensor product(const Tensor& a_MK, const Tensor& b_KE) {
  if (!takes_own_kernel(a_MK, b_KE)) return at::mm(a_MK, b_KE);
  const Tensor c_ME = at::empty({a_MK.size(0), b_KE.size(1)}, a_MK.options());
  run(c_ME, a_MK, b_KE, false);
  return c_ME;
}

void write_product(const Tensor& c_ME, const Tensor& a_MK, const Tensor& b_KE) {
  if (fits_sum(c_ME, a_MK, b_KE)) {
    run(c_ME, a_MK, b_KE, false);
  } else {
    Tensor c = c_ME;
    at::mm_out(c, a_MK, b_KE);
  }
}

void add_product(const Tensor& c_ME, const Tensor& a_MK, const Tensor& b_KE) {
  if (fits_sum(c_ME, a_MK, b_KE)) {
    run(c_ME, a_MK, b_KE, true);
  } else {
    c_ME.addmm_(a_MK, b_KE);
  }
}

Tensor linear(const Tensor& x_ND, const Tensor& weight_ED, const Tensor& bias_E) {
  if (fits(x_ND, weight_ED, bias_E)) return apply(x_ND, weight_ED, bias_E, true);
  if (widens_bfloat(x_ND, weight_ED)) return bfloat_linear(x_ND, weight_ED, bias_E, true);
  return bias_E.defined() ? at::linear(x_ND, weight_ED, bias_E) : at::linear(x_ND, weight_ED);
}

Tensor linear_input_major(const Tensor& x_ND, const Tensor& weight_DE, const Tensor& bias_E) {
  if (fits(x_ND, weight_DE, bias_E)) return apply(x_ND, weight_DE, bias_E, false);
  if (widens_bfloat(x_ND, weight_DE)) return bfloat_linear(x_ND, weight_DE, bias_E, false);
  return bias_E.defined() ? at::addmm(bias_E, x_ND, weight_DE) : at::mm(x_ND, weight_DE);
}

}  // namespace alambic::kernels
