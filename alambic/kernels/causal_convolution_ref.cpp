#include "alambic/kernels/causal_convolution_ref.h"

namespace alambic::kernels::ref {

std::vector<double> packed_causal_convolution(const std::vector<double>& x,
                                              const std::vector<double>& weight,
                                              const std::vector<int64_t>& offsets,
                                              int64_t channels) {
  const int64_t W = static_cast<int64_t>(weight.size()) / channels;
  std::vector<double> y(x.size(), 0);
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    for (int64_t n = offsets[s]; n < offsets[s + 1]; ++n) {
      for (int64_t c = 0; c < channels; ++c) {
        for (int64_t j = 0; j < W; ++j) {
          const int64_t from = n - (W - 1) + j;
          if (from >= offsets[s]) {
            y[n * channels + c] += weight[c * W + j] * x[from * channels + c];
          }
        }
      }
    }
  }
  return y;
}

}  // namespace alambic::kernels::ref
