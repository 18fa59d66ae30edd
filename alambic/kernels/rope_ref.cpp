#include "alambic/kernels/rope_ref.h"

namespace alambic::kernels::ref {

std::vector<double> rope(const std::vector<double>& x, const std::vector<double>& cos,
                         const std::vector<double>& sin, int64_t heads, int64_t d) {
  const int64_t half = d / 2, N = static_cast<int64_t>(x.size()) / (heads * d);
  std::vector<double> y(x.size());
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t at = (n * heads + h) * d;
      for (int64_t i = 0; i < half; ++i) {
        const double c = cos[n * half + i], s = sin[n * half + i];
        y[at + i] = x[at + i] * c - x[at + i + half] * s;
        y[at + i + half] = x[at + i + half] * c + x[at + i] * s;
      }
    }
  }
  return y;
}

}  // namespace alambic::kernels::ref
