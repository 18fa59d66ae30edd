// Numbers of tensors as vectors, for what is decided number by number, and back.
#pragma once

#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Copies of a tensor's numbers, from any device.
std::vector<int64_t> numbers_of(const Tensor& ids);
std::vector<double> doubles_of(const Tensor& values);

/// Tensors of these, int64 or float64, where `beside` is.
Tensor tensor_of(const std::vector<int64_t>& ids, const Tensor& beside);
Tensor tensor_of(const std::vector<double>& values, const Tensor& beside);

}  // namespace alambic
