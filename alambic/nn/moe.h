// Routed experts: every token passes through the few gated MLPs that its router chooses (Shazeer et
// al., arXiv 1701.06538; Mixtral, 2401.04088).
#pragma once

#include <string>
#include <vector>

#include "alambic/nn/mlp.h"

namespace alambic {

struct RouterOptions {
  int64_t experts = 0, chosen = 0;  ///< E, and k of each token
  bool normalized = false;          ///< the k weights sum to one
};

struct Router {
  RouterOptions options;
  Tensor weight_ED;

  struct Choice {
    Tensor weights_NK;  ///< float32 (float64 for float64 weights), differentiable
    Tensor experts_NK;  ///< int64
  };

  Router(int64_t width, const RouterOptions& options);
  /// Scores in float32, whatever the dtype of x and the weights.
  Choice operator()(const Tensor& x_ND) const;
};

/// What the files call the block and the matrices of an expert.
struct ExpertNames {
  std::string block = "mlp", gate = "gate_proj", up = "up_proj", down = "down_proj";
};

struct Moe : FeedForward {
  ExpertNames names;
  Router router;
  std::vector<DenseMlp> experts;

  /// `expert` is the shape of each.
  Moe(const MlpShape& expert, const RouterOptions& options, const ExpertNames& names = {});

  /// Runs the experts that got tokens, each once, on all of its tokens.
  Tensor forward(const Tensor& x_ND) const override;
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;
};

}  // namespace alambic
