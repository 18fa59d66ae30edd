#pragma once

#include "alambic/model/model.h"
#include "alambic/rollout/engine.h"

namespace alambic {

/// Most tokens that a completion to the request of this number may have. Requests that cannot be
/// answered are input errors.
int64_t room_of(const Request& request, size_t number, const ModelShape& shape,
                const Sampling& sampling);

}  // namespace alambic
