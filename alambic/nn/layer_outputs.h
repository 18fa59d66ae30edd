#pragma once

#include <map>
#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// Hidden states that a pass hands out on its way (Pass::outputs): the residual stream behind some
/// decoder layers, before the model's final norm. In transformers' `hidden_states` that of layer l,
/// counted from 0, is entry l + 1, but for the last, which there has passed the final norm.
struct LayerOutputs {
  std::vector<int64_t> layers;     ///< wanted
  std::map<int64_t, Tensor> x_ND;  ///< seen, by layer; with their graph where gradients are on

  void see(int64_t layer, const Tensor& x);
};

}  // namespace alambic
