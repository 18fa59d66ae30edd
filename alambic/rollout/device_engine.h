// The engine for an accelerator: what was drawn, where sequences stand and which slots are theirs
// stay on the device, and the host reads once in several passes. Draws are those of the CPU's
// engine.
#pragma once

#include "alambic/rollout/engine.h"

namespace alambic {

/// generate() for a model on a device, with a sampling that changes no logits. Checked options;
/// without gradients.
std::vector<Completion> generate_on_device(const Model& model, std::span<const Request> requests,
                                           const EngineOptions& options, const OnToken& on_token,
                                           const OnProgress& on_progress);

}  // namespace alambic
