#include "alambic/nn/layer_outputs.h"

#include <algorithm>

namespace alambic {

void LayerOutputs::see(int64_t layer, const Tensor& x) {
  if (std::ranges::find(layers, layer) != layers.end()) x_ND[layer] = x;
}

}  // namespace alambic
