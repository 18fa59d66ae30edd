#include "alambic/kernels/rope.h"

namespace alambic::kernels {

Tensor rope(const Tensor& x_NHd, const Tensor& cos_Nd, const Tensor& sin_Nd) {
  const int64_t half = x_NHd.size(-1) / 2;
  const Tensor low = x_NHd.narrow(-1, 0, half);
  const Tensor high = x_NHd.narrow(-1, half, half);
  const Tensor cos = cos_Nd.unsqueeze(1).to(x_NHd.scalar_type());
  const Tensor sin = sin_Nd.unsqueeze(1).to(x_NHd.scalar_type());
  return at::cat({low * cos - high * sin, high * cos + low * sin}, -1);
}

}  // namespace alambic::kernels
