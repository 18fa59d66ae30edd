// Entries of one instruction set's CpuTable; what each does is said there.
#pragma once

#include "alambic/kernels/cpu_table.h"
#include "alambic/kernels/simd/vector.h"

namespace alambic::kernels::ALAMBIC_ISA {

using namespace simd::ALAMBIC_ISA;  // NOLINT(google-build-using-namespace): one vocabulary

void product(const ProductArgs& job);
void product_transposed(const ProductArgs& job);
void product_many(const ProductArgs& job);
void product_many_transposed(const ProductArgs& job);
void packed_few(const PackedArgs& job);
void packed_many(const PackedArgs& job);
void packed_input_grad(const PackedArgs& job, int64_t first);
void rms_norm(const float* x, const float* weight, double epsilon, float* y, float* inverse,
              int64_t N, int64_t D);
void rms_norm_grad(const float* x, const float* weight, const float* inverse, const float* dy,
                   float* dx, float* dweight, int64_t N, int64_t D);
void rope(const HeadsArgs& a, float direction);
void swiglu(const float* gate, const float* up, float* y, int64_t n);
void swiglu_grad(const float* gate, const float* up, const float* dy, float* dgate, float* dup,
                 int64_t n);
void geglu(const float* gate, const float* up, float* y, int64_t n);
void geglu_grad(const float* gate, const float* up, const float* dy, float* dgate, float* dup,
                int64_t n);
void attention(const AttentionArgs& a);
void attention_grad(const AttentionGradArgs& a);
void cached_attention(const CachedAttentionArgs& a);
bool column_maxima(const float* logits, int64_t blocks, float* maxima);
void block_weights(const float* logits, int64_t blocks, float largest, float inverse_temperature,
                   double* sums);
void token_weights(float* values, int64_t groups, float largest, float inverse_temperature);

/// `product` without its blocking, for factors that fit the caches.
void small_product(const ProductArgs& job);

}  // namespace alambic::kernels::ALAMBIC_ISA
