#pragma once

#include "alambic/kernels/activation.h"
#include "alambic/nn/linear.h"
#include "alambic/nn/pass.h"

namespace alambic {

class World;

/// Part of a decoder layer that sees each position alone: a gated MLP, or experts.
struct FeedForward {
  virtual ~FeedForward() = default;
  /// [N, D] to [N, D]. Of the pass what rows stand for counts.
  virtual Tensor forward(const Tensor& x_ND, const Pass& pass) const = 0;
  /// `prefix` is the layer's, "model.layers.3."; the block adds its own name.
  virtual void visit(const std::string& prefix, const TensorVisitor& visitor) = 0;
  /// As Mixer's, with some of the inner columns of every MLP.
  virtual std::string undivided(int64_t ranks) const;
  virtual std::unique_ptr<FeedForward> part(const World& group) const;
};

using kernels::Gate;

struct MlpShape {
  int64_t width = 0, inner = 0;
  bool bias = false;
  bool fused = false;  ///< gate and up in one matrix gate_up_proj (Phi-3)
  Gate gate = Gate::silu;
  /// Bounds x·Wg from above and x·Wu on both sides (DeepSeek-V4); 0: none.
  double limit = 0;
};

/// Names in the files of the maps of an MLP that are not fused.
struct MlpNames {
  std::string gate = "gate_proj", up = "up_proj", down = "down_proj";
};

/// down(gate(x·Wg) · (x·Wu)) (Shazeer, arXiv 2002.05202).
struct DenseMlp : FeedForward {
  MlpShape shape;
  Linear gate_proj, up_proj, down_proj;
  Linear gate_up_proj;  ///< instead of the two, where fused

  explicit DenseMlp(const MlpShape& shape);
  Tensor operator()(const Tensor& x_ND) const;
  Tensor forward(const Tensor& x_ND, const Pass&) const override { return (*this)(x_ND); }
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;
  std::string undivided(int64_t ranks) const override;
  std::unique_ptr<FeedForward> part(const World& group) const override {
    return std::make_unique<DenseMlp>(columns(group));
  }
  DenseMlp columns(const World& group) const;
  /// Visit under the prefix `block`, "model.layers.3.mlp.".
  void visit_as(const std::string& block, const MlpNames& names, const TensorVisitor& visitor);
};

}  // namespace alambic
