#pragma once

#include <vector>

#include "alambic/io/tensor_view.h"

namespace alambic {

/// The matrices of a layer's experts, which the hub's files may have stacked in one tensor, under
/// the names that they have one by one: from "P.experts.gate_up_proj" [E, 2 · inner, width], the
/// gate's rows first, "P.experts.0.gate_proj.weight" [inner, width], "P.experts.0.up_proj.weight",
/// …; from "P.experts.down_proj" [E, width, inner] "P.experts.0.down_proj.weight", …. Views of the
/// same bytes. Empty: `view` is no such tensor, or its numbers have scales.
std::vector<TensorView> split_experts(const TensorView& view);

}  // namespace alambic
