// What is done to many tensors at once: on a device in a launch for all, or nearly so.
#pragma once

#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// L2 norm of all numbers of the tensors together, float64, on their device. At least one tensor.
Tensor norm_of_all(const std::vector<Tensor>& tensors);

/// Multiplies all tensors by a number, in place.
void scale_all(const std::vector<Tensor>& tensors, double scale);

/// Copies each tensor of `from` to the one at its place in `to`, of any dtype.
void copy_all(const std::vector<Tensor>& to, const std::vector<Tensor>& from);

}  // namespace alambic
