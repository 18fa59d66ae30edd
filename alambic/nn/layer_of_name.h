#pragma once

#include <cstdint>
#include <string_view>

namespace alambic {

/// Number of the layer that a tensor is of, by its name: the first part that is a number
/// ("model.layers.3.mlp.experts.7.up_proj.weight": 3); −1 outside of the layers.
int64_t layer_of_name(std::string_view name);

/// Number of the routed expert that a tensor is of alone, behind ".experts." (here 7); −1: of none,
/// or of all of a layer.
int64_t expert_of_name(std::string_view name);

}  // namespace alambic
