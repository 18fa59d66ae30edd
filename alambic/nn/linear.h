#pragma once

#include "alambic/nn/module.h"

namespace alambic {

enum class WeightLayout {
  output_major,  ///< [out, in], the usual
  input_major    ///< [in, out], GPT-2's Conv1D
};

struct Linear {
  Tensor weight;
  Tensor bias;  ///< undefined: none
  WeightLayout layout = WeightLayout::output_major;

  Linear() = default;
  Linear(int64_t in, int64_t out, bool with_bias, WeightLayout layout = WeightLayout::output_major);

  /// [N, in] to [N, out].
  Tensor operator()(const Tensor& x_ND) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

}  // namespace alambic
