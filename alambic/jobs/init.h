// A new student.
#pragma once

#include "alambic/jobs/init_options.h"

namespace alambic::jobs {

/// Writes options.out: a model with random weights, or one cut from a larger one, with its
/// tokenizer and generation config; its number of parameters. Input errors: a folder that holds
/// something already without options.overwrite, and those of new_model, cut_model and the
/// tokenizer. Nothing is written before all of it is read.
int64_t init(const InitOptions& options);

}  // namespace alambic::jobs
