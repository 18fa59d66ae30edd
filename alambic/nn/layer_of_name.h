#pragma once

#include <cstdint>
#include <string_view>

namespace alambic {

/// Number of the layer that a tensor is of, by its name: the first part that is a number
/// ("model.layers.3.mlp.experts.7.up_proj.weight": 3); −1 outside of the layers.
int64_t layer_of_name(std::string_view name);

}  // namespace alambic
