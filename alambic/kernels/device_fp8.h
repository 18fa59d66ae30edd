// Products of which both factors are FP8 numbers, which cards have instructions for: rows of x are
// rounded to F8_E4M3 with a scale to every 128 numbers, and multiplied with a weight's tiles of
// 128 × 128 as they lie in the file (DeepSeek-V3, arXiv 2412.19437, section 3.3;
// `activation_scheme` "dynamic" of a config.json, in vLLM and transformers too).
#pragma once

#include <string>

#include "alambic/tensor/packed_matrix.h"

namespace alambic::kernels::on_device {

/// Why the device does not multiply so, mostly in libtorch's words; empty: it does (compute
/// capability 9.0). The first call for a device tries it.
std::string fp8_products_fault(at::Device device);

/// Whether all of the weight's shape fits: F8_E4M3 with tiles of 128 × 128, whole tiles of rows,
/// and columns by 512, since libtorch's versions agree about the scales of these alone.
bool fits_fp8_products(const PackedMatrix& weight_ED);

/// The same weight, whose products with many rows of bfloat16 are those where its shape fits.
PackedMatrix with_fp8_products(const PackedMatrix& weight_ED);

/// Whether write_packed_linear (device_packed.h) shall go this way.
bool takes_fp8_product(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED);

/// y_NE = x_ND · weight_EDᵀ (+ bias_E) of bfloat16, with numbers of x that are off by up to a 16th
/// of themselves, or by 2⁻¹⁰ / 448 of the largest of their 128. Sums are the card's own (float32,
/// in steps), rounded to bfloat16.
void write_fp8_product(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
                       const Tensor& bias_E);

}  // namespace alambic::kernels::on_device
