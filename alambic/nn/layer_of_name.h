#pragma once

#include <cstdint>
#include <string_view>

namespace alambic {

/// Number of the layer that a tensor is of, by its name: the first part that is a number
/// ("model.layers.3.mlp.experts.7.up_proj.weight": 3); −1 outside of the layers.
int64_t layer_of_name(std::string_view name);

/// Whether a tensor is of routed experts, by ".experts." in its name; and of which alone, by the
/// number behind that (here 7), −1: of none, or of all of a layer.
bool is_of_experts(std::string_view name);
int64_t expert_of_name(std::string_view name);

}  // namespace alambic
