// What a model computes, as a file.
#pragma once

#include "alambic/jobs/logits_options.h"

namespace alambic::jobs {

/// Writes options.out: the logits of each sequence of options.tokens by itself, and its hidden
/// states where options.hidden asks for them (names and shapes: model/logits.h). Errors: those of
/// load_model, read_sequences, check_outputs and check_output_file.
void write_logits(const LogitsOptions& options);

}  // namespace alambic::jobs
