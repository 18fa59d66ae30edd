#pragma once

#include <string>

#include "alambic/model/model.h"
#include "alambic/scale/scale_job.h"

namespace alambic {

/// Sizes of a model that may have no weights, for sequences of `length` tokens. What it trains is
/// what requires a gradient.
ModelSizes sizes_of(Model& model, const std::string& name, double length);

}  // namespace alambic
