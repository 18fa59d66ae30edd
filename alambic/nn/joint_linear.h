#pragma once

#include <vector>

#include "alambic/nn/linear.h"

namespace alambic {

/// What several linear maps make of one input, [N, out] each. Where their weights lie one behind
/// the other on a device (lay_side_by_side) and no gradient is wanted, one product makes all of it,
/// of which these are parts.
std::vector<Tensor> joint_linear(const Tensor& x_ND, const std::vector<const Linear*>& maps);

/// The weights of maps without biases as one, [sum of out, in], where they lie so; else undefined.
/// Nothing wants a gradient of it.
Weight joint_weight(const std::vector<const Linear*>& maps);

/// Moves the weights, and the biases, of maps of one input to one memory, one behind the other.
/// Those of one type, or packed in one format, and width on one device; others stay where they are.
void lay_side_by_side(const std::vector<Linear*>& maps);

}  // namespace alambic
