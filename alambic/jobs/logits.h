// What a model computes, as a file.
#pragma once

#include "alambic/jobs/logits_options.h"

namespace alambic::jobs {

/// Writes options.out: the logits of each sequence of options.tokens by itself, and its hidden
/// states where options.hidden asks for them (names and shapes: model/logits.h). Errors: those of
/// load_model and read_sequences, and a file that cannot be written.
void write_logits(const LogitsOptions& options);

}  // namespace alambic::jobs
