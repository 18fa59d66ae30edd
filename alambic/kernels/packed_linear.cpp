#include "alambic/kernels/packed_linear.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/kernels/device_packed.h"
#include "alambic/kernels/launch.h"
#include "alambic/kernels/linear.h"
#include "alambic/kernels/packed_product.h"
#include "alambic/tensor/function.h"

namespace alambic::kernels {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What is multiplied in float32: bfloat16 is brought to it and back.
bool sums_in_float(const Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

// Rows whose decoded numbers fit a core's cache, and the steps in which `product` splits columns:
// then every column is summed as in one product with the whole matrix.
int64_t rows_at_a_time(const PackedMatrix& weight_ED) {
  constexpr int64_t numbers = 1 << 18, step = 64;
  const int64_t rows = numbers / std::max<int64_t>(1, weight_ED.columns);
  return std::max<int64_t>(1, rows / step) * step;
}

// f(first, weight) for parts of the weight, decoded to `type`.
template <class F>
void each_part(const PackedMatrix& weight_ED, at::ScalarType type, const F& f) {
  const int64_t step = rows_at_a_time(weight_ED);
  for (int64_t first = 0; first < weight_ED.rows; first += step) {
    const int64_t count = std::min(step, weight_ED.rows - first);
    f(first, weight_ED.decoded(first, count).to(type));
  }
}

// write(y) with y in float32 and dense, which is `to` itself or copied to it.
template <class Write>
void in_float(const Tensor& to, const Write& write) {
  if (plain(to) && to.stride(1) == 1) return write(to);
  const Tensor wide = at::empty(to.sizes(), to.options().dtype(at::kFloat));
  write(wide);
  to.copy_(wide);
}

void write_by_parts(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
                    const Tensor& bias_E) {
  if (bias_E.defined()) y_NE.copy_(bias_E.expand_as(y_NE));
  each_part(weight_ED, y_NE.scalar_type(), [&](int64_t first, const Tensor& part_ED) {
    const Tensor part_NE = y_NE.narrow(1, first, part_ED.size(0));
    if (bias_E.defined()) {
      add_product(part_NE, x_ND, part_ED.t());
    } else {
      write_product(part_NE, x_ND, part_ED.t());
    }
  });
}

struct Held : torch::CustomClassHolder {
  PackedMatrix matrix;
  explicit Held(PackedMatrix matrix) : matrix(std::move(matrix)) {}
};

Tensor forward_of(const Tensor& x_ND, const PackedMatrix& weight_ED, const Tensor& bias_E) {
  const Tensor y_NE = at::empty({x_ND.size(0), weight_ED.rows}, x_ND.options());
  write_packed_linear(y_NE, x_ND, weight_ED, bias_E);
  return y_NE;
}

struct PackedLinearFunction : torch::autograd::Function<PackedLinearFunction> {
  // An undefined tensor is no input that autograd could record, an empty optional is.
  static Tensor forward(AutogradContext* context, const Tensor& x_ND, const PackedMatrix& weight_ED,
                        const std::optional<Tensor>& bias_E) {
    context->saved_data["weight"] = c10::IValue::make_capsule(c10::make_intrusive<Held>(weight_ED));
    context->saved_data["biased"] = bias_E.has_value();
    return forward_of(x_ND, weight_ED, bias_E.value_or(Tensor()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    refuse_second_derivative("a packed linear map");
    const auto holder = context->saved_data["weight"].toCapsule();
    const bool biased = context->saved_data["biased"].toBool();
    Tensor dx_ND, dbias_E;
    if (context->needs_input_grad(0)) {
      const PackedMatrix& weight_ED = static_cast<const Held&>(*holder).matrix;
      dx_ND = at::empty({gradients[0].size(0), weight_ED.columns}, gradients[0].options());
      write_packed_input_grad(dx_ND, gradients[0], weight_ED);
    }
    if (biased && context->needs_input_grad(1)) dbias_E = gradients[0].sum(0);
    return {dx_ND, Tensor(), dbias_E};
  }
};

}  // namespace

void write_packed_linear(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
                         const Tensor& bias_E) {
  check(!wants_gradient(x_ND, bias_E), "a product written to a tensor has no gradient");
  if (weight_ED.on_device) {
    on_device::write_packed_linear(y_NE, x_ND, weight_ED, bias_E);
  } else if (sums_in_float(x_ND) && sums_in_float(y_NE) && takes_packed_kernel(x_ND.size(0))) {
    in_float(y_NE, [&](const Tensor& sum_NE) {
      if (bias_E.defined()) sum_NE.copy_(bias_E.expand_as(sum_NE));
      packed_product(sum_NE, dense_rows(x_ND.to(at::kFloat)), packed_rows(weight_ED),
                     bias_E.defined());
    });
  } else {
    write_by_parts(y_NE, x_ND, weight_ED, bias_E);
  }
}

void write_packed_input_grad(const Tensor& dx_ND, const Tensor& dy_NE,
                             const PackedMatrix& weight_ED) {
  if (weight_ED.on_device) return on_device::write_packed_input_grad(dx_ND, dy_NE, weight_ED);
  if (sums_in_float(dx_ND) && sums_in_float(dy_NE)) {
    in_float(dx_ND, [&](const Tensor& sum_ND) {
      packed_input_grad(sum_ND, dense_rows(dy_NE.to(at::kFloat)), packed_rows(weight_ED));
    });
    return;
  }
  dx_ND.zero_();
  each_part(weight_ED, dx_ND.scalar_type(), [&](int64_t first, const Tensor& part_ED) {
    add_product(dx_ND, dy_NE.narrow(1, first, part_ED.size(0)), part_ED);
  });
}

Tensor packed_linear(const Tensor& x_ND, const PackedMatrix& weight_ED, const Tensor& bias_E) {
  if (!wants_gradient(x_ND, bias_E)) return forward_of(x_ND, weight_ED, bias_E);
  const auto bias = bias_E.defined() ? std::optional<Tensor>(bias_E) : std::nullopt;
  return PackedLinearFunction::apply(x_ND, weight_ED, bias);
}

}  // namespace alambic::kernels
