// Random tensors, comparisons and finite differences for this room's tests.
#pragma once

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic::test {

/// Standard normal, float64, the same on every call with the same seed.
inline Tensor draw(at::IntArrayRef sizes, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(sizes, generator, at::TensorOptions().dtype(at::kDouble));
}

inline std::vector<double> values(const Tensor& x) {
  const Tensor dense = x.detach().to(at::kDouble).contiguous();
  return {dense.const_data_ptr<double>(), dense.const_data_ptr<double>() + dense.numel()};
}

inline Tensor tensor(const std::vector<double>& numbers, at::IntArrayRef sizes) {
  return at::from_blob(const_cast<double*>(numbers.data()), sizes, at::kDouble).clone();
}

/// Largest difference, relative to the largest magnitude of `expected`; infinity when one is NaN.
/// Where all is (nearly) zero, relative to 0.1.
inline double error(const Tensor& found, const Tensor& expected) {
  if (found.sizes() != expected.sizes()) return INFINITY;
  if (found.numel() == 0) return 0;
  const Tensor f = found.detach().to(at::kDouble), e = expected.detach().to(at::kDouble);
  const double worst = (f - e).abs().max().item<double>();
  return worst == worst ? worst / std::max(0.1, e.abs().max().item<double>()) : INFINITY;
}

using Inputs = std::vector<Tensor>;
using Kernel = std::function<Tensor(const Inputs&)>;

inline Inputs cast(const Inputs& inputs, at::ScalarType dtype, bool gradients) {
  Inputs copies;
  for (const Tensor& x : inputs) {
    copies.push_back(x.detach().to(dtype).clone().requires_grad_(gradients));
  }
  return copies;
}

/// d(Σ y·probe)/d(inputs) by autograd, computed in `dtype`.
inline Inputs gradients(const Kernel& kernel, const Inputs& inputs, at::ScalarType dtype,
                        const Tensor& probe) {
  const Inputs leaves = cast(inputs, dtype, true);
  (kernel(leaves) * probe.to(dtype)).sum().backward();
  Inputs found;
  for (const Tensor& leaf : leaves) {
    found.push_back(leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf));
  }
  return found;
}

/// The same by central differences in float64.
inline Inputs differences(const Kernel& kernel, const Inputs& inputs, const Tensor& probe) {
  const at::NoGradGuard guard;
  const double h = 1e-5;
  Inputs found;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Inputs moved = cast(inputs, at::kDouble, false);
    const Tensor gradient = at::zeros_like(moved[i]);
    auto* x = moved[i].mutable_data_ptr<double>();
    auto* g = gradient.mutable_data_ptr<double>();
    for (int64_t j = 0; j < moved[i].numel(); ++j) {
      const double at = x[j];
      x[j] = at + h;
      const double above = (kernel(moved) * probe).sum().item<double>();
      x[j] = at - h;
      const double below = (kernel(moved) * probe).sum().item<double>();
      x[j] = at;
      g[j] = (above - below) / (2 * h);
    }
    found.push_back(gradient);
  }
  return found;
}

/// float64 gradients against central differences, float32 ones against float64.
inline void expect_right_gradients(const Kernel& kernel, const Inputs& inputs) {
  const Tensor probe = draw(kernel(inputs).sizes(), 99);
  const Inputs exact = gradients(kernel, inputs, at::kDouble, probe);
  const Inputs numeric = differences(kernel, inputs, probe);
  const Inputs fused = gradients(kernel, inputs, at::kFloat, probe);
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_LT(error(exact[i], numeric[i]), 1e-8) << "input " << i;
    EXPECT_LT(error(fused[i], exact[i]), 2e-6) << "input " << i;
  }
}

/// Inference and training give the same bits.
inline void expect_same_without_gradients(const Kernel& kernel, const Inputs& inputs) {
  const Tensor training = kernel(cast(inputs, at::kFloat, true));
  const at::NoGradGuard guard;
  EXPECT_TRUE(at::equal(kernel(cast(inputs, at::kFloat, false)), training));
}

}  // namespace alambic::test
