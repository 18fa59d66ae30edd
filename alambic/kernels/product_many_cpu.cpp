// Products of many rows with dense matrices.
#include "alambic/kernels/product_blocks_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {

void product_many(const ProductArgs& all) {
  by_blocks(all, [&](int64_t first, int64_t k, int64_t E, int64_t K, float* to) {
    for (int64_t e = 0; e < E; e += strip) {
      const float* from = all.b + k * all.b_row + first + e;
      const int64_t columns = min(strip, E - e);
      for (int64_t i = 0; i < K; ++i, from += all.b_row, to += strip) {
        if (columns == strip) {
          __builtin_memcpy(to, from, strip * sizeof(float));
        } else {
          for (int64_t j = 0; j < strip; ++j) to[j] = j < columns ? from[j] : 0.0f;
        }
      }
    }
  });
}

void product_many_transposed(const ProductArgs& all) {
  by_blocks(all, [&](int64_t first, int64_t k, int64_t E, int64_t K, float* to) {
    for (int64_t e = 0; e < E; e += strip, to += K * strip) {
      const int64_t columns = min(strip, E - e);
      if (columns < strip) __builtin_memset(to, 0, K * strip * sizeof(float));
      transpose(all.b + (first + e) * all.b_row + k, all.b_row, columns, K, to, strip);
    }
  });
}

}  // namespace alambic::kernels::ALAMBIC_ISA
