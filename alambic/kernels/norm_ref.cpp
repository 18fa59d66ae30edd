#include "alambic/kernels/norm_ref.h"

#include <cmath>

namespace alambic::kernels::ref {

std::vector<double> rms_norm(const std::vector<double>& x, const std::vector<double>& weight,
                             double epsilon) {
  const size_t D = weight.size();
  std::vector<double> y(x.size());
  for (size_t n = 0; n < x.size(); n += D) {
    double squares = 0;
    for (size_t d = 0; d < D; ++d) squares += x[n + d] * x[n + d];
    const double root = std::sqrt(squares / static_cast<double>(D) + epsilon);
    for (size_t d = 0; d < D; ++d) y[n + d] = weight[d] * x[n + d] / root;
  }
  return y;
}

}  // namespace alambic::kernels::ref
