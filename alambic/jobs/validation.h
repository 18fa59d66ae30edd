#pragma once

#include <vector>

#include "alambic/base/metrics.h"
#include "alambic/model/pretrained.h"
#include "alambic/rollout/engine.h"
#include "alambic/text/dataset.h"

namespace alambic {

/// "valid_exact_match" of greedy completions to the first `samples` rows; empty when the rows have
/// no `answer`. The engine's temperature is ignored.
Metrics validate_exact_match(const Pretrained& student, const std::vector<Example>& rows,
                             int64_t samples, EngineOptions engine);

}  // namespace alambic
