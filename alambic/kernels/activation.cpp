#include "alambic/kernels/activation.h"

namespace alambic::kernels {

Tensor swiglu(const Tensor& gate_NF, const Tensor& up_NF) { return at::silu(gate_NF) * up_NF; }

Tensor gelu_tanh(const Tensor& x_NF) { return at::gelu(x_NF, "tanh"); }

}  // namespace alambic::kernels
