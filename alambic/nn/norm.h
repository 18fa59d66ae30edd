#pragma once

#include "alambic/nn/module.h"

namespace alambic {

struct RmsNorm {
  Tensor weight;
  double epsilon = 1e-6;
  bool plus_one = false;  ///< multiplies by 1 + weight (Gemma 2 and 3)
  bool wide = false;      ///< multiplies before it rounds to the dtype of x (Gemma 4)

  RmsNorm() = default;
  RmsNorm(int64_t width, double epsilon, bool plus_one = false, bool wide = false)
      : weight(placeholder({width})), epsilon(epsilon), plus_one(plus_one), wide(wide) {}

  Tensor operator()(const Tensor& x_ND) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor);
  /// The same with a weight of its own, where there is one.
  RmsNorm copy() const {
    RmsNorm same = *this;
    if (weight.defined()) same.weight = weight.detach().clone();
    return same;
  }
};

/// The same without a weight.
Tensor plain_rms_norm(const Tensor& x_ND, double epsilon);

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
