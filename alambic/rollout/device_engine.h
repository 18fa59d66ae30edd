// The engine for an accelerator: what was drawn, where sequences stand and which slots and pages
// are theirs stay on the device, and the host reads once in several passes. Draws are those of the
// CPU's engine.
#pragma once

#include "alambic/rollout/engine.h"

namespace alambic {

/// generate() for a model on a device. Checked options; without gradients. Keys and values lie in
/// pages: prompts in a row that are alike are read once and held once. Where the device has no
/// memory for more pages prompts wait, and then the sequence that came last gives its own back and
/// is read again later, with what it has drawn; an environment error where one alone has too few.
std::vector<Completion> generate_on_device(const Model& model, std::span<const Request> requests,
                                           const EngineOptions& options, const OnToken& on_token,
                                           const OnProgress& on_progress);

}  // namespace alambic
