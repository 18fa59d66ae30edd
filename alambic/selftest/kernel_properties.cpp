#include <fmt/format.h>

#include <cmath>

#include "alambic/kernels/activation.h"
#include "alambic/kernels/activation_ref.h"
#include "alambic/kernels/attention.h"
#include "alambic/kernels/attention_ref.h"
#include "alambic/kernels/linear.h"
#include "alambic/kernels/norm.h"
#include "alambic/kernels/norm_ref.h"
#include "alambic/kernels/rope.h"
#include "alambic/kernels/rope_ref.h"
#include "alambic/selftest/machine_properties.h"

namespace alambic::selftest {
namespace {

Tensor draw(at::IntArrayRef sizes, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(sizes, generator, at::TensorOptions().dtype(at::kFloat));
}

std::vector<double> values(const Tensor& x) {
  const Tensor wide = x.to(at::kDouble).contiguous();
  return {wide.const_data_ptr<double>(), wide.const_data_ptr<double>() + wide.numel()};
}

void compare(const Tensor& found, const std::vector<double>& expected, double allowed,
             const std::string& where, Deviation& worst) {
  const std::vector<double> numbers = values(found);
  double largest = 0, apart = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    apart = std::max(apart, std::abs(numbers[i] - expected[i]));
    if (std::isnan(numbers[i])) apart = INFINITY;
  }
  worst.add(apart, allowed * largest, where);
}

void products(Deviation& worst) {
  const std::vector<std::vector<int64_t>> shapes = {
      {1, 1, 1}, {1, 65, 33}, {7, 129, 50}, {40, 16, 17}};
  for (const auto& shape : shapes) {
    const int64_t M = shape[0], K = shape[1], E = shape[2];
    const Tensor a = draw({M, K}, 1), b = draw({K, E}, 2);
    const std::vector<double> left = values(a), right = values(b);
    std::vector<double> expected(M * E, 0);
    for (int64_t m = 0; m < M; ++m) {
      for (int64_t k = 0; k < K; ++k) {
        for (int64_t e = 0; e < E; ++e) expected[m * E + e] += left[m * K + k] * right[k * E + e];
      }
    }
    const std::string where = fmt::format("[{}, {}] by [{}, {}]", M, K, K, E);
    compare(kernels::product(a, b), expected, 1e-5, where, worst);
    compare(kernels::product(a, b.t().contiguous().t()), expected, 1e-5, where + " transposed",
            worst);
  }
}

void attention(Deviation& worst) {
  constexpr int64_t N = 40, heads = 4, kv_heads = 2, d = 12;
  const std::vector<int64_t> offsets = {0, 1, 18, 40};
  const Tensor q = draw({N, heads, d}, 1), k = draw({N, kv_heads, d}, 2),
               v = draw({N, kv_heads, d}, 3);
  for (const int64_t window : {0, 5}) {
    for (const double softcap : {0.0, 2.0}) {
      const Tensor found = kernels::packed_attention(
          q, k, v, offsets, {.scale = 0.3, .window = window, .softcap = softcap});
      compare(found,
              kernels::ref::packed_attention(values(q), values(k), values(v), offsets, heads,
                                             kv_heads, d, 0.3, window, softcap),
              1e-5, fmt::format("window {}, soft-cap {}", window, softcap), worst);
    }
  }
}

void rows(Deviation& worst) {
  const Tensor x = draw({9, 70}, 1), weight = draw({70}, 2), up = draw({9, 70}, 3);
  compare(kernels::rms_norm(x, weight, 1e-5),
          kernels::ref::rms_norm(values(x), values(weight), 1e-5), 1e-5, "rms_norm", worst);
  compare(kernels::swiglu(x, up), kernels::ref::swiglu(values(x), values(up)), 1e-5, "swiglu",
          worst);
  compare(kernels::geglu(x, up), kernels::ref::geglu(values(x), values(up)), 1e-5, "geglu", worst);
  const Tensor heads = draw({9, 3, 16}, 4), angle = draw({9, 8}, 5);
  compare(kernels::rope(heads, angle.cos(), angle.sin()),
          kernels::ref::rope(values(heads), values(angle.cos()), values(angle.sin()), 3, 16), 1e-5,
          "rope", worst);
}

}  // namespace

std::vector<Property> kernel_properties() {
  return {{"MatrixProductsAreScalarLoops", "matrix products are those of scalar loops",
           "an instruction set's kernel wrong at an edge", products},
          {"AttentionIsItsDefinition", "attention is its definition, windows and soft-caps too",
           "a sequence sees its neighbor in the batch", attention},
          {"NormsActivationsAndRotationsAreTheirDefinitions",
           "norms, activations and rotations are their definitions",
           "a vectorized exp or root that is off on one kind of CPU", rows}};
}

}  // namespace alambic::selftest
