// Properties of every divergence of divergences.def, at two temperatures, in weighted sums, over
// the whole vocabulary and over buckets.
#pragma once

#include "alambic/objective/divergence.h"
#include "alambic/selftest/property.h"

namespace alambic::selftest {

struct DivergenceCase {
  std::string name;  ///< an identifier: "jsd5_hot_top4_both"
  Divergence divergence;
};

std::vector<DivergenceCase> divergence_cases();

struct DivergenceProperty {
  std::string id, says, prevents;
  std::function<void(const DivergenceCase&, Deviation&)> check;
};

const std::vector<DivergenceProperty>& properties_of_a_divergence();

/// Each of them over all cases.
std::vector<Property> properties_of_every_divergence();

}  // namespace alambic::selftest
