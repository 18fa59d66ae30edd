// Weights that stay packed on an accelerator which has kernels (kernels/device.h).
#pragma once

#include <functional>
#include <vector>

#include "alambic/io/tensor_view.h"
#include "alambic/tensor/packed_matrix.h"

namespace alambic::kernels {

/// tensor/packed_view.h's of a model's weights on any device: an accelerator keeps the blocks and
/// tiles that its kernels decode to `dtype`.
bool stays_packed(const TensorView& view, at::ScalarType dtype, at::Device device);

namespace on_device {

/// Copy of a matrix of the CPU in the memory of a device that keeps it packed; `read` as
/// to_tensor's (tensor/view.h).
PackedMatrix packed_on(at::Device device, const PackedMatrix& matrix,
                       const std::function<void(std::span<const std::byte>)>& read = {});

/// y_NE = x_ND · weight_EDᵀ (+ bias_E) for rows on the device, without gradients. Few rows of x by
/// a kernel that decodes on the way; many by the device's product with some rows of the weight at
/// a time, rounded to the dtype of x. float32 y of bfloat16 x is summed unrounded.
void write_packed_linear(const Tensor& y_NE, const Tensor& x_ND, const PackedMatrix& weight_ED,
                         const Tensor& bias_E);

/// dx_ND = dy_NE · weight_ED, likewise.
void write_packed_input_grad(const Tensor& dx_ND, const Tensor& dy_NE,
                             const PackedMatrix& weight_ED);

/// Rows of each of the matrices of a stack by that one alone (+ its bias), [P, F], without
/// gradients and without a count on the host: `stack` has M · F rows, `bias` as many numbers or is
/// undefined, and `ends_M` (int32) says where the rows of each end. Decodes a matrix once for
/// packed_few_rows of its rows.
Tensor packed_groups(const Tensor& x_PD, const PackedMatrix& stack, const Tensor& bias,
                     const Tensor& ends_M);
/// Whether it is the way for P rows: of more, matrices are better decoded once.
bool takes_packed_groups(int64_t rows, int64_t matrices);

/// The matrices one behind the other in one piece of memory, where they may be parts of one; empty
/// where they cannot: formats or widths differ, or tiles would not be whole.
std::vector<PackedMatrix> side_by_side(const std::vector<PackedMatrix>& parts);

}  // namespace on_device
}  // namespace alambic::kernels
