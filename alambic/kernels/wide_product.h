// Products of bfloat16 numbers with sums and results in float32, as the matrix units of devices
// make them: no float32 copy of either side exists.
#pragma once

#include "alambic/tensor/weight.h"

namespace alambic::kernels {

/// Whether a product of these is one: both are bfloat16, or packed for it, on a device that is no
/// CPU.
bool has_wide_product(const Tensor& x_ND, const Weight& weight_ED);

/// y = a · b, or y += a · b; y is float32.
void write_wide_product(const Tensor& y_ME, const Tensor& a_MK, const Tensor& b_KE);
void add_wide_product(const Tensor& y_ME, const Tensor& a_MK, const Tensor& b_KE);

}  // namespace alambic::kernels
