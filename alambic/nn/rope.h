#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Rotary angles of every position up to the model's context, made once.
struct Rope {
  Tensor cos_Td, sin_Td;  ///< float32, [positions, d/2]

  Rope() = default;
  /// inv_freq[i] = theta^(−2i/d) in float32, as transformers computes it.
  Rope(int64_t positions, int64_t head_width, double theta);
  void to(at::Device device, at::ScalarType dtype);
};

}  // namespace alambic
