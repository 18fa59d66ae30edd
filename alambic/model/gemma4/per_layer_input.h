// Per-layer embeddings (Gemma 3n and 4): every layer gets a narrow vector of its own for each
// token. Formulas: transformers' modeling_gemma4.py.
#pragma once

#include "alambic/nn/linear.h"
#include "alambic/nn/norm.h"

namespace alambic {

/// Inputs of all L layers, of width P each, made once in a pass.
struct PerLayerInputs {
  int64_t layers, width;
  Weight embed_tokens_per_layer;      ///< [vocabulary, L · P]
  Linear per_layer_model_projection;  ///< D to L · P
  RmsNorm per_layer_projection_norm;  ///< norm of each layer's part alone

  PerLayerInputs(int64_t vocabulary, int64_t model_width, int64_t layers, int64_t width,
                 double epsilon);
  /// (norm(projection(x) / √D) + √P · embedding(token)) / √2, [N, L, P]. `x_ND`: what the first
  /// layer sees.
  Tensor operator()(const Tensor& tokens_N, const Tensor& x_ND) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

/// Block by which a layer uses its part: norm(projection(gelu(gate(x)) · input)).
struct PerLayerBlock {
  Linear per_layer_input_gate, per_layer_projection;
  RmsNorm post_per_layer_input_norm;

  PerLayerBlock(int64_t model_width, int64_t width, double epsilon);
  Tensor operator()(const Tensor& x_ND, const Tensor& input_NP) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

}  // namespace alambic
