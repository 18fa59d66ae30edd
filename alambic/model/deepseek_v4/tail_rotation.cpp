#include "alambic/model/deepseek_v4/tail_rotation.h"

namespace alambic {

Tensor rotate_tail(const Tensor& x_NHd, const Rotation& rotation) {
  const int64_t turning = 2 * rotation.cos_Nd.size(1), still = x_NHd.size(2) - turning;
  const Tensor tail_NHR = halves_of_pairs(x_NHd.narrow(2, still, turning));
  return at::cat({x_NHd.narrow(2, 0, still), pairs_of_halves(rotation(tail_NHR))}, 2);
}

}  // namespace alambic
