// Between the bytes of files and tensors.
#pragma once

#include "alambic/io/safetensors.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// An input error naming the tensor for a dtype that tensors cannot hold.
at::ScalarType scalar_type(const TensorView& view);
Dtype dtype_of(at::ScalarType type);

/// A copy of the view in another dtype and on another device; the file may be closed afterwards.
/// Block formats are decoded, tiles multiplied by their scales.
Tensor to_tensor(const TensorView& view, at::ScalarType dtype, at::Device device);

/// The view's own memory as a tensor where it has that dtype and its numbers are aligned, else a
/// copy. On the CPU; never to be written to. `owner` keeps the memory.
Tensor to_tensor_in_place(const TensorView& view, at::ScalarType dtype,
                          const std::shared_ptr<const void>& owner);

/// Tensors as a writer wants them: `tensors` are made contiguous on the CPU and must outlive the
/// views.
std::vector<TensorView> to_views(std::vector<std::pair<std::string, Tensor>>& tensors);

}  // namespace alambic
