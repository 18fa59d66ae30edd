// Conditions shared by the kernels' libtorch side: when a fused path applies, when threads pay.
#pragma once

#include <algorithm>
#include <functional>

#include "alambic/base/error.h"
#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// float32 on the CPU: what CpuTable's kernels take.
template <class... Tensors>
bool plain(const Tensors&... tensors) {
  return ((tensors.is_cpu() && tensors.scalar_type() == at::kFloat) && ...);
}

/// bfloat16 on the CPU.
template <class... Tensors>
bool is_bfloat(const Tensors&... tensors) {
  return ((tensors.is_cpu() && tensors.scalar_type() == at::kBFloat16) && ...);
}

template <class... Tensors>
bool wants_gradient(const Tensors&... tensors) {
  return at::GradMode::is_enabled() && ((tensors.defined() && tensors.requires_grad()) || ...);
}

/// The same values with a dense last dimension.
inline Tensor dense_rows(const Tensor& x) {
  return x.numel() == 0 || x.stride(-1) == 1 ? x : x.contiguous();
}

/// Fused backward passes are opaque to autograd, so they cannot be differentiated again.
inline void refuse_second_derivative(const char* kernel) {
  if (at::GradMode::is_enabled()) throw bug("{} has no second derivative", kernel);
}

/// From this many rows on, copying blocks of the second factor pays (docs/LOG.md): the border
/// between the two orders of sums.
int64_t many_rows();

/// libtorch's threads for this process.
int64_t thread_count();

/// f(begin, end) over [0, count) by libtorch's threads, no part smaller than `grain`.
void split(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& f);

/// The same, on this thread alone when there is little to do. `item_ns` is a guess at one item's
/// time on one core: a thread is given no less than 25 µs, since waking it costs several.
template <class F>
void parallel(int64_t count, double item_ns, const F& f) {
  const auto grain = static_cast<int64_t>(25000 / std::max(item_ns, 1e-3)) + 1;
  if (count <= grain) {
    if (count > 0) f(int64_t{0}, count);
  } else {
    split(count, grain, std::cref(f));
  }
}

}  // namespace alambic::kernels
