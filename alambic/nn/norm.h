#pragma once

#include "alambic/nn/module.h"

namespace alambic {

struct RmsNorm {
  Tensor weight;
  double epsilon = 1e-6;
  bool plus_one = false;  ///< multiplies by 1 + weight (Gemma)

  RmsNorm() = default;
  RmsNorm(int64_t width, double epsilon, bool plus_one = false)
      : weight(placeholder({width})), epsilon(epsilon), plus_one(plus_one) {}

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
