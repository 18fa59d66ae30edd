#include "alambic/kernels/causal_convolution.h"

#include <algorithm>

namespace alambic::kernels {

Tensor packed_causal_convolution(const Tensor& x_NC, const Tensor& weight_CW,
                                 const Tensor& positions_N) {
  const int64_t N = x_NC.size(0), W = weight_CW.size(1);
  Tensor sum_NC = x_NC * weight_CW.select(1, W - 1);
  for (int64_t back = 1; back < std::min(W, N); ++back) {
    const Tensor shifted_NC = at::constant_pad_nd(x_NC.narrow(0, 0, N - back), {0, 0, back, 0});
    const Tensor outside_N1 = (positions_N < back).unsqueeze(-1);
    sum_NC = sum_NC + shifted_NC.masked_fill(outside_N1, 0) * weight_CW.select(1, W - 1 - back);
  }
  return sum_NC;
}

Tensor causal_convolution_step(const Tensor& last_NWC, const Tensor& weight_CW) {
  return (last_NWC * weight_CW.t()).sum(1);
}

}  // namespace alambic::kernels
