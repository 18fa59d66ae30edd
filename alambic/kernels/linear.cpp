#include "alambic/kernels/linear.h"

#include "alambic/kernels/cpu.h"
#include "alambic/kernels/launch.h"

namespace alambic::kernels {
namespace {

/// From this many rows on, MKL's packing pays (bench/kernels_bench.cpp, docs/LOG.md).
constexpr int64_t most_rows = 16;

bool takes_own_kernel(const Tensor& x_ND, const Tensor& weight, const Tensor& bias_E) {
  return x_ND.dim() == 2 && x_ND.size(0) <= most_rows && plain(x_ND, weight) &&
         (!bias_E.defined() || (plain(bias_E) && bias_E.is_contiguous())) &&
         !wants_gradient(x_ND, weight, bias_E) && x_ND.stride(1) == 1 && weight.dim() == 2 &&
         weight.stride(1) == 1;
}

/// Splits the outputs between threads, in steps of a cache line.
Tensor small_rows(const Tensor& x_ND, const Tensor& weight, const Tensor& bias_E, int64_t E,
                  int64_t w_step, void (*kernel)(const LinearArgs&)) {
  constexpr int64_t step = 64;
  const int64_t M = x_ND.size(0), D = x_ND.size(1);
  const Tensor y = at::empty({M, E}, x_ND.options());
  const LinearArgs all = {.x = x_ND.const_data_ptr<float>(),
                          .x_row = x_ND.stride(0),
                          .w = weight.const_data_ptr<float>(),
                          .w_row = weight.stride(0),
                          .bias = bias_E.defined() ? bias_E.const_data_ptr<float>() : nullptr,
                          .y = y.mutable_data_ptr<float>(),
                          .y_row = E,
                          .M = M,
                          .D = D,
                          .E = E};
  const double item_ns = static_cast<double>(step * D) * std::max(0.1, static_cast<double>(M) / 40);
  parallel((E + step - 1) / step, item_ns, [&](int64_t begin, int64_t end) {
    LinearArgs part = all;
    const int64_t first = begin * step;
    part.w += first * w_step;
    part.y += first;
    if (part.bias) part.bias += first;
    part.E = std::min(end * step, E) - first;
    kernel(part);
  });
  return y;
}

void check_inner(const Tensor& x_ND, const Tensor& weight, int64_t inner) {
  check(x_ND.size(1) == inner, "linear: {} inputs for a weight of [{}, {}]", x_ND.size(1),
        weight.size(0), weight.size(1));
}

}  // namespace

Tensor linear(const Tensor& x_ND, const Tensor& weight_ED, const Tensor& bias_E) {
  if (takes_own_kernel(x_ND, weight_ED, bias_E)) {
    check_inner(x_ND, weight_ED, weight_ED.size(1));
    return small_rows(x_ND, weight_ED, bias_E, weight_ED.size(0), weight_ED.stride(0),
                      cpu().linear_output_major);
  }
  return bias_E.defined() ? at::linear(x_ND, weight_ED, bias_E) : at::linear(x_ND, weight_ED);
}

Tensor linear_input_major(const Tensor& x_ND, const Tensor& weight_DE, const Tensor& bias_E) {
  if (takes_own_kernel(x_ND, weight_DE, bias_E)) {
    check_inner(x_ND, weight_DE, weight_DE.size(0));
    return small_rows(x_ND, weight_DE, bias_E, weight_DE.size(1), 1, cpu().linear_input_major);
  }
  return bias_E.defined() ? at::addmm(bias_E, x_ND, weight_DE) : at::mm(x_ND, weight_DE);
}

}  // namespace alambic::kernels
