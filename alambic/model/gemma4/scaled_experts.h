// The routed experts of Gemma 4 (transformers' modeling_gemma4.py): a layer's are stacked in one
// tensor, gate over up; what a chosen expert says is weighted by a learned scale of its own too.
#pragma once

#include "alambic/nn/moe.h"

namespace alambic {

struct ScaledExperts {
  MlpShape shape;
  Router router;
  double epsilon;
  Tensor scale_D;             ///< scale of what the router sees, which is normed first
  Tensor per_expert_scale_E;  ///< factors of the weights, once these sum to one
  Weight gate_up_proj;        ///< [E, 2 · inner, width]
  Weight down_proj;           ///< [E, width, inner]

  ScaledExperts(const MlpShape& shape, const RouterOptions& options, double epsilon);
  /// `seen_ND` chooses the experts, `x_ND` goes through them.
  Tensor forward(const Tensor& seen_ND, const Tensor& x_ND, const Pass& pass) const;
  /// `prefix` is the layer's, "model.layers.3.".
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

}  // namespace alambic
