// Modules are plain structs of tensors with one visit(prefix, visitor). Loading, saving,
// optimizing, hashing and finite differences all walk it. Names are Hugging Face's.
#pragma once

#include <functional>
#include <string>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Called with a tensor's full name and the tensor, which the visitor may replace. Before loading
/// tensors live on the "meta" device: they have a shape and no data.
using TensorVisitor = std::function<void(const std::string& name, Tensor& tensor)>;

/// A tensor with a shape and no data yet.
Tensor placeholder(at::IntArrayRef shape);

}  // namespace alambic
