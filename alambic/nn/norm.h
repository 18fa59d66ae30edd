#pragma once

#include "alambic/nn/module.h"

namespace alambic {

struct RmsNorm {
  Tensor weight;
  double epsilon = 1e-6;

  RmsNorm() = default;
  RmsNorm(int64_t width, double epsilon) : weight(placeholder({width})), epsilon(epsilon) {}

  Tensor operator()(const Tensor& x_ND) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

struct LayerNorm {
  Tensor weight;
  Tensor bias;
  double epsilon = 1e-5;

  LayerNorm() = default;
  LayerNorm(int64_t width, double epsilon)
      : weight(placeholder({width})), bias(placeholder({width})), epsilon(epsilon) {}

  Tensor operator()(const Tensor& x_ND) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

}  // namespace alambic
