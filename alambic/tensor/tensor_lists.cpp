#include "alambic/tensor/tensor_lists.h"

#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>

namespace alambic {

Tensor norm_of_all(const std::vector<Tensor>& tensors) {
  return at::linalg_vector_norm(at::stack(at::_foreach_norm(tensors, 2, at::kDouble)));
}

void scale_all(const std::vector<Tensor>& tensors, double scale) {
  if (!tensors.empty()) at::_foreach_mul_(tensors, scale);
}

void copy_all(const std::vector<Tensor>& to, const std::vector<Tensor>& from) {
  if (!to.empty()) at::_foreach_copy_(to, from);
}

}  // namespace alambic
