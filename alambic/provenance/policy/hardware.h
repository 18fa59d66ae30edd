#pragma once

#include <vector>

#include "alambic/provenance/policy/gate.h"

namespace alambic {

/// What the declared hardware says of the machine: a finding for every device that was not
/// declared, is one too many, or is not as it should be. Without a declaration there are none.
std::vector<PolicyFinding> hardware_findings(const HardwareRule& rule,
                                             const PolicyQuestion& question);

}  // namespace alambic
