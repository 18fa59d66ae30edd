// The routed experts of gpt-oss (arXiv 2508.10925): a layer's are stacked in one tensor,
// input-major, gate and up in alternate columns, and the gate is bounded:
//   down((min(g, c) · σ(α · min(g, c))) · (clamp(u, −c, c) + 1)).
#pragma once

#include "alambic/nn/moe.h"

namespace alambic {

struct ClampedShape {
  int64_t width = 0, inner = 0;
  double alpha = 1.702, limit = 7;  ///< α and c
};

struct ClampedExperts : FeedForward {
  ClampedShape shape;
  Router router;
  Weight gate_up_proj, down_proj;            ///< [E, width, 2 · inner], [E, inner, width]
  Tensor gate_up_proj_bias, down_proj_bias;  ///< [E, 2 · inner], [E, width]

  ClampedExperts(const ClampedShape& shape, const RouterOptions& options);
  Tensor forward(const Tensor& x_ND, const Pass& pass) const override;
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;
  std::string undivided(int64_t ranks) const override;
  std::unique_ptr<FeedForward> part(const World& group) const override;
};

}  // namespace alambic
