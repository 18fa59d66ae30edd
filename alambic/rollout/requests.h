#pragma once

#include <vector>

#include "alambic/rollout/engine.h"
#include "alambic/text/dataset.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// Prompts of the examples as token ids, each `copies` times in a row; a request's id is its place
/// in the list. Conversations begin with what their template writes.
std::vector<Request> requests_of(const Tokenizer& tokenizer, const std::vector<Example>& examples,
                                 int64_t copies = 1);

}  // namespace alambic
