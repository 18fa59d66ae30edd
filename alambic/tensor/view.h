// Between the bytes of files and tensors.
#pragma once

#include <functional>

#include "alambic/io/safetensors.h"
#include "alambic/tensor/tensor.h"

namespace alambic {

/// An input error naming the tensor for a dtype that tensors cannot hold.
at::ScalarType scalar_type(const TensorView& view);
Dtype dtype_of(at::ScalarType type);

/// A copy of the view in another dtype and on another device; the file may be closed afterwards.
/// Block formats are decoded, tiles multiplied by their scales. `read` is called with what will not
/// be read again, part by part, so that file and copy need not both be in memory.
Tensor to_tensor(const TensorView& view, at::ScalarType dtype, at::Device device,
                 const std::function<void(std::span<const std::byte>)>& read = {});

/// Whether the view's memory can serve as a tensor of that dtype on the CPU: it holds such numbers,
/// and they are aligned.
bool in_place(const TensorView& view, at::ScalarType dtype);
/// Tensor over the view's memory, to be written to only if the memory may be. `owner` keeps the
/// memory.
Tensor to_tensor_in_place(const TensorView& view, const std::shared_ptr<const void>& owner);

/// Tensor of a file that is made when its turn to be written has come: `make` may give any dtype
/// and device.
TensorSource source_of(const std::string& name, at::ScalarType type, std::vector<int64_t> shape,
                       std::function<Tensor()> make);

/// Tensors as a writer wants them: `tensors` are made contiguous on the CPU and must outlive the
/// views.
std::vector<TensorView> to_views(std::vector<std::pair<std::string, Tensor>>& tensors);

}  // namespace alambic
