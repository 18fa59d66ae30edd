#include "alambic/nn/rope.h"

#include <cmath>

namespace alambic {

Rope::Rope(int64_t positions, int64_t head_width, double theta) {
  const Tensor exponent = at::arange(0, head_width, 2, at::kFloat) / static_cast<float>(head_width);
  const Tensor frequency = 1.0 / at::pow(static_cast<float>(theta), exponent);
  const Tensor angle = at::outer(at::arange(positions, at::kFloat), frequency);
  cos_Td = angle.cos();
  sin_Td = angle.sin();
}

void Rope::to(at::Device device, at::ScalarType dtype) {
  const auto wide = dtype == at::kDouble ? at::kDouble : at::kFloat;
  cos_Td = cos_Td.to(device, wide);
  sin_Td = sin_Td.to(device, wide);
}

}  // namespace alambic
