#pragma once

#include "alambic/model/model.h"

namespace alambic {

/// Moves weights that multiply one input (queries, keys and values; gate and up) to one memory, so
/// that one product makes what they make (nn/joint_linear.h). Of a model on a device, before it has
/// an optimizer; on a CPU nothing moves.
void lay_side_by_side(Model& model);

}  // namespace alambic
