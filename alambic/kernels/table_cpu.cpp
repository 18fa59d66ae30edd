#include "alambic/kernels/kernels_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {

extern const CpuTable table;
const CpuTable table = {.name = ALAMBIC_ISA_NAME,
                        .lanes = lanes,
                        .product = product,
                        .product_transposed = product_transposed,
                        .product_many = product_many,
                        .product_many_transposed = product_many_transposed,
                        .rms_norm = rms_norm,
                        .rms_norm_grad = rms_norm_grad,
                        .rope = rope,
                        .swiglu = swiglu,
                        .swiglu_grad = swiglu_grad,
                        .geglu = geglu,
                        .geglu_grad = geglu_grad,
                        .attention = attention,
                        .attention_grad = attention_grad,
                        .cached_attention = cached_attention,
                        .column_maxima = column_maxima,
                        .block_weights = block_weights,
                        .token_weights = token_weights,
                        .packed_few = packed_few,
                        .packed_many = packed_many,
                        .packed_input_grad = packed_input_grad};

}  // namespace alambic::kernels::ALAMBIC_ISA
