// Properties of kernels and of small whole models, for `alambic selftest` and the tests.
#pragma once

#include "alambic/selftest/property.h"

namespace alambic::selftest {

/// This machine's arithmetic against scalar loops in float64.
std::vector<Property> kernel_properties();

/// Properties from tokens to the loss and back: graded positions, the numbers beside them, samplers
/// and teachers. Writes a teacher cache into the folder for temporary files.
std::vector<Property> model_properties();

}  // namespace alambic::selftest
