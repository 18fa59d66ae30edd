// Products of FP8 numbers as libtorch has them for cards of compute capability 9.0, refused where
// it or cuBLAS does (aten/src/ATen/native/cuda/ScaledBlas.cpp of torch 2.11).
#include <ATen/ATen.h>
#include <torch/library.h>

#include "tests/device/simulated_device.h"
#include "tests/device/simulated_graphs.h"
#include "tests/device/simulated_streams.h"

namespace alambic::simulated {

namespace {

using at::Tensor;

bool lies_as(const Tensor& t, c10::IntArrayRef sizes, c10::IntArrayRef strides) {
  return t.sizes() == sizes && t.strides() == strides;
}

// x_MD · w_DE, with scales of 128 numbers of a row of x and of 128 × 128 of w.
Tensor scaled_product(const Tensor& x_MD, const Tensor& w_DE, const Tensor& scale_MG,
                      const Tensor& scale_GF, const std::optional<Tensor>& bias,
                      const std::optional<Tensor>& scale_result,
                      std::optional<c10::ScalarType> type, bool use_fast_accum) {
  const int64_t M = x_MD.size(0), D = x_MD.size(1), E = w_DE.size(1), G = D / 128;
  TORCH_CHECK(lies_as(x_MD, {M, D}, {D, 1}) && lies_as(w_DE, {D, E}, {1, D}),
              "Only multiplication of row-major and column-major matrices is supported");
  TORCH_CHECK(x_MD.scalar_type() == at::kFloat8_e4m3fn && w_DE.scalar_type() == at::kFloat8_e4m3fn,
              "_scaled_mm of ", x_MD.scalar_type(), " and ", w_DE.scalar_type());
  TORCH_CHECK(D % 512 == 0 && E % 16 == 0 && M % 4 == 0, "_scaled_mm of ", M, " x ", D, " x ", E);
  TORCH_CHECK(lies_as(scale_MG, {M, G}, {1, M}) && lies_as(scale_GF, {G, (E + 127) / 128}, {1, G}),
              "Invalid scaling configuration: ", scale_MG.sizes(), " ", scale_MG.strides(), ", ",
              scale_GF.sizes(), " ", scale_GF.strides());
  TORCH_CHECK(!bias && !scale_result && !use_fast_accum && type == at::kBFloat16);
  count_operator("aten::_scaled_mm");
  const Tensor y_ME = at::empty({M, E}, x_MD.options().dtype(*type));
  wait_for(current_stream());
  const auto multiply = [x = host_view(x_MD), w = host_view(w_DE), x_scale = host_view(scale_MG),
                         w_scale = host_view(scale_GF), y = host_view(y_ME)] {
    const Tensor left = x.to(at::kFloat).unflatten(1, {-1, 128}) * x_scale.unsqueeze(-1);
    const Tensor scales = w_scale.repeat_interleave(128, 0).repeat_interleave(128, 1);
    y.copy_(at::mm(left.flatten(1), w.to(at::kFloat) * scales.narrow(1, 0, w.size(1))));
  };
  multiply();
  record_step(multiply);
  return y_ME;
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) { m.impl("_scaled_mm", scaled_product); }

}  // namespace

}  // namespace alambic::simulated
