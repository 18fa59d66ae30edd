// A model whose routed experts are divided between the ranks of a group (nn/expert_parallel.h).
#pragma once

#include <memory>
#include <string>

#include "alambic/dist/layer_weights.h"
#include "alambic/model/model.h"

namespace alambic {

/// Reason why so many ranks cannot each have as many of the routed experts, as a sentence; "": they
/// can. Of a model without routers there are none.
std::string undivided_experts(Model& model, int64_t ranks);

/// How the ranks divide a tensor of this name.
LayerTensor::Division division_of(const std::string& name);

/// From here on passes of the model ask the ranks of `weights` for what their experts make of
/// tokens. `weights`: the model's, with the tensors of its experts divided
/// (division_of). Both must outlive the passes. A rank that has nothing to compute takes
/// part in the others' passes with a token of its own, which counts for nothing.
void exchange_tokens(Model& model, LayerWeights& weights, std::shared_ptr<const World> ranks);

}  // namespace alambic
