#pragma once

#include <memory>

#include "alambic/nn/lora.h"
#include "alambic/nn/module.h"

namespace alambic {

enum class WeightLayout {
  output_major,  ///< [out, in], the usual
  input_major    ///< [in, out], GPT-2's Conv1D
};

/// Linear map x · Wᵀ + bias, and an adapter's share where there is one.
struct Linear {
  Weight weight;  ///< packed only where output-major
  Tensor bias;    ///< undefined: none
  WeightLayout layout = WeightLayout::output_major;
  std::shared_ptr<Lora> lora;  ///< null: none

  Linear() = default;
  Linear(int64_t in, int64_t out, bool with_bias, WeightLayout layout = WeightLayout::output_major);

  int64_t in() const { return weight.size(layout == WeightLayout::output_major ? 1 : 0); }
  int64_t out() const { return weight.size(layout == WeightLayout::output_major ? 0 : 1); }
  /// The dense weight as [out, in], however it is stored.
  Tensor weight_OI() const {
    return layout == WeightLayout::output_major ? weight.dense() : weight.dense().t();
  }

  /// [N, in] to [N, out].
  Tensor operator()(const Tensor& x_ND) const;
  /// The tensors of an adapter come last, under PEFT's names.
  void visit(const std::string& prefix, const TensorVisitor& visitor);
  /// Copies with these of the outputs or inputs alone, the weight dense; output-major maps. What
  /// those with parts of the inputs make adds up: the bias goes with the first input.
  Linear with_outputs(const Slices& outputs) const;
  Linear with_inputs(const Slices& inputs) const;
  Linear copy() const { return with_outputs({{0, out()}}); }
  /// Makes the adapter part of the weight and drops it.
  void merge_lora();
};

}  // namespace alambic
