// What holds of particular losses: closed forms, limits, bounds, and the parts around divergences.
#pragma once

#include "alambic/selftest/property.h"

namespace alambic::proof {

/// Ends and limits of beta, closed forms, sampled estimators, sums of terms.
std::vector<Property> divergence_laws();
/// K tokens and a bucket for all others.
std::vector<Property> topk_laws();
/// Distances of hidden states.
std::vector<Property> hidden_laws();
/// Drawn tokens: their definitions, expectations by enumeration, clipping, advantages.
std::vector<Property> policy_laws();
/// Cross-entropy; float32 at its edges; what the head and autograd add.
std::vector<Property> numeric_laws();

}  // namespace alambic::proof
