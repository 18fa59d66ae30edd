// A model with an adapter in its weights.
#pragma once

#include "alambic/jobs/merge_adapter_options.h"

namespace alambic::jobs {

/// Writes options.out: the model with the adapter in its weights, W + s·B·A, for DoRA with every
/// row at its learned norm (nn/lora.h). Input errors: those of load_model and load_adapter.
void merge_adapter(const MergeAdapterOptions& options);

}  // namespace alambic::jobs
