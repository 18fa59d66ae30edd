// Properties of particular losses: closed forms, limits, bounds, and the parts around divergences.
#pragma once

#include "alambic/selftest/property.h"

namespace alambic::selftest {

/// Ends and limits of beta, closed forms, sampled estimators, sums of terms.
std::vector<Property> divergence_properties();
/// K tokens and a bucket for all others.
std::vector<Property> topk_properties();
/// Distances of hidden states.
std::vector<Property> hidden_properties();
/// Drawn tokens: their definitions, expectations by enumeration, clipping, advantages.
std::vector<Property> policy_properties();
/// Cross-entropy; float32 at its edges; what the head and autograd add.
std::vector<Property> numeric_properties();

}  // namespace alambic::selftest
