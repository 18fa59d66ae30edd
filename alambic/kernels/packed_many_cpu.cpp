// Products of many rows with packed weights, forwards and backwards: blocks are decoded into the
// strips that products of many rows copy anyway.
#include "alambic/kernels/packed_dispatch_cpu.h"
#include "alambic/kernels/product_blocks_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {

namespace {

static_assert(depth == packed_slab && width % packed_slab == 0);

ProductArgs without_b(const PackedArgs& job) {
  return {.a = job.a,
          .a_row = job.a_row,
          .a_col = 1,
          .b = nullptr,
          .b_row = 0,
          .c = job.c,
          .c_row = job.c_row,
          .M = job.M,
          .K = job.K,
          .E = job.E,
          .accumulate = job.accumulate};
}

}  // namespace

void packed_many(const PackedArgs& job) {
  by_blocks(without_b(job), [&](int64_t first, int64_t k, int64_t E, int64_t K, float* to) {
    alignas(64) float rows[strip][packed_slab];
    for (int64_t e = 0; e < E; e += strip, to += K * strip) {
      const int64_t count = min(strip, E - e);
      const uint8_t* row = job.b + (first + e) * job.b_row;
      for (int64_t i = 0; i < count; ++i) decode_packed(job, row + i * job.b_row, k, K, rows[i]);
      if (count < strip) __builtin_memset(to, 0, K * strip * sizeof(float));
      transpose(rows[0], packed_slab, count, K, to, strip);
    }
  });
}

void packed_input_grad(const PackedArgs& job, int64_t start) {
  by_blocks(without_b(job), [&](int64_t first, int64_t k, int64_t E, int64_t K, float* to) {
    alignas(64) float row[width];
    for (int64_t i = 0; i < K; ++i) {
      decode_packed(job, job.b + (k + i) * job.b_row, start + first, E, row);
      for (int64_t e = E; e % strip != 0; ++e) row[e] = 0;
      for (int64_t e = 0; e < E; e += strip) {
        __builtin_memcpy(to + e * K + i * strip, row + e, strip * sizeof(float));
      }
    }
  });
}

}  // namespace alambic::kernels::ALAMBIC_ISA
