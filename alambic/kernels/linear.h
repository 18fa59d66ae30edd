#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

/// a_MK · b_KE; not differentiable. float32 on a CPU takes our own kernels, which read either
/// factor in either order (a transposed view costs nothing): MKL has no path for few rows and none
/// for AVX-512 on AMD processors (docs/LOG.md). Everything else is at::mm.
Tensor product(const Tensor& a_MK, const Tensor& b_KE);

/// c_ME = a_MK · b_KE, likewise, into memory that is there.
void write_product(const Tensor& c_ME, const Tensor& a_MK, const Tensor& b_KE);

/// c_ME += a_MK · b_KE, likewise.
void add_product(const Tensor& c_ME, const Tensor& a_MK, const Tensor& b_KE);

/// y_NE = x_ND · weight_EDᵀ (+ bias_E), any floating dtype, differentiable once; by `product`.
/// `bias_E` may be undefined.
Tensor linear(const Tensor& x_ND, const Tensor& weight_ED, const Tensor& bias_E);

/// The same with the weight stored input-major, as GPT-2's Conv1D: y_NE = x_ND · weight_DE +
/// bias_E.
Tensor linear_input_major(const Tensor& x_ND, const Tensor& weight_DE, const Tensor& bias_E);

}  // namespace alambic::kernels
