// Properties of training, for `alambic selftest` and the tests.
#pragma once

#include "alambic/selftest/property.h"

namespace alambic::selftest {

/// Whole optimizer steps of a small model. Writes a checkpoint into the folder for temporary files.
std::vector<Property> training_properties();

}  // namespace alambic::selftest
