#include "alambic/kernels/delta_rule_ref.h"

#include <cmath>

namespace alambic::kernels::ref {

DeltaResult packed_delta_rule(const std::vector<double>& q, const std::vector<double>& k,
                              const std::vector<double>& v, const std::vector<double>& decay,
                              const std::vector<double>& rate, const std::vector<int64_t>& offsets,
                              const DeltaSizes& sizes) {
  const int64_t H = sizes.heads, dk = sizes.key_width, dv = sizes.value_width;
  const int64_t sequences = static_cast<int64_t>(offsets.size()) - 1;
  DeltaResult result = {std::vector<double>(v.size()),
                        std::vector<double>(sequences * H * dk * dv, 0)};
  for (int64_t s = 0; s < sequences; ++s) {
    for (int64_t h = 0; h < H; ++h) {
      double* S = result.state.data() + (s * H + h) * dk * dv;
      for (int64_t n = offsets[s]; n < offsets[s + 1]; ++n) {
        const int64_t key_head = n * sizes.key_heads + h / (H / sizes.key_heads);
        for (int64_t i = 0; i < dk * dv; ++i) S[i] *= std::exp(decay[n * H + h]);
        for (int64_t j = 0; j < dv; ++j) {
          double known = 0, answer = 0;
          for (int64_t i = 0; i < dk; ++i) known += k[key_head * dk + i] * S[i * dv + j];
          const double correction = rate[n * H + h] * (v[(n * H + h) * dv + j] - known);
          for (int64_t i = 0; i < dk; ++i) S[i * dv + j] += k[key_head * dk + i] * correction;
          for (int64_t i = 0; i < dk; ++i) answer += q[key_head * dk + i] * S[i * dv + j];
          result.out[(n * H + h) * dv + j] = answer;
        }
      }
    }
  }
  return result;
}

}  // namespace alambic::kernels::ref
