#pragma once

#include "alambic/tensor/tensor.h"

namespace alambic::kernels {

enum class Gate {
  silu,      ///< Llama
  gelu_tanh  ///< Gemma
};

/// gate(g) · up, either of the two below. Differentiable in both.
Tensor gated(Gate gate, const Tensor& gate_NF, const Tensor& up_NF);

/// silu(gate) · up, silu(x) = x·sigmoid(x): the inside of a gated MLP (Shazeer, arXiv 2002.05202).
/// Differentiable in both.
Tensor swiglu(const Tensor& gate_NF, const Tensor& up_NF);

/// gelu_tanh(gate) · up (Gemma). Differentiable in both.
Tensor geglu(const Tensor& gate_NF, const Tensor& up_NF);

/// GELU by its tanh approximation (Hendrycks and Gimpel, arXiv 1606.08415), GPT-2's "gelu_new".
/// Differentiable.
Tensor gelu_tanh(const Tensor& x_NF);

}  // namespace alambic::kernels
