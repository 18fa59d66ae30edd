// Graphs of the simulated device: operators and kernels with the places of their numbers, done
// again at the same places. What is recorded is done once, for its shapes, and taken back; memory
// that it took belongs to the graph. What a GPU refuses while it records is refused.
#pragma once

#include <functional>

#include "alambic/kernels/device_graph.h"

namespace alambic::simulated {

/// Whether this thread records.
bool is_recording();
/// Adds a step of the recording, if there is one.
void record_step(std::function<void()> step);
/// A std::runtime_error where this thread records.
void refuse_while_recording(const char* what);

/// From now on the device records.
void use_graphs();

/// Recordings that were done again since install().
int64_t replays();

}  // namespace alambic::simulated
