#include "alambic/kernels/attention_ref.h"

#include <algorithm>
#include <cmath>

namespace alambic::kernels::ref {

std::vector<double> packed_attention(const std::vector<double>& q, const std::vector<double>& k,
                                     const std::vector<double>& v,
                                     const std::vector<int64_t>& offsets, int64_t heads,
                                     int64_t kv_heads, int64_t d, double scale, int64_t window,
                                     double softcap, const std::vector<double>& sinks) {
  std::vector<double> out(q.size(), 0);
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    for (int64_t n = offsets[s]; n < offsets[s + 1]; ++n) {
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t kv = h / (heads / kv_heads);
        const int64_t from = window > 0 ? std::max(offsets[s], n - window + 1) : offsets[s];
        std::vector<double> weight;  // weights of positions from..n
        for (int64_t j = from; j <= n; ++j) {
          double score = 0;
          for (int64_t i = 0; i < d; ++i) {
            score += q[(n * heads + h) * d + i] * k[(j * kv_heads + kv) * d + i];
          }
          score *= scale;
          weight.push_back(softcap > 0 ? softcap * std::tanh(score / softcap) : score);
        }
        double max = *std::max_element(weight.begin(), weight.end());
        if (!sinks.empty()) max = std::max(max, sinks[h]);
        double total = sinks.empty() ? 0 : std::exp(sinks[h] - max);
        for (double& w : weight) total += w = std::exp(w - max);
        for (int64_t j = from; j <= n; ++j) {
          for (int64_t i = 0; i < d; ++i) {
            out[(n * heads + h) * d + i] +=
                weight[j - from] / total * v[(j * kv_heads + kv) * d + i];
          }
        }
      }
    }
  }
  return out;
}

}  // namespace alambic::kernels::ref
