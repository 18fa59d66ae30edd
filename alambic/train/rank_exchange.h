// What the ranks of a job tell each other of one step, so that it is the step of one process.
#pragma once

#include <vector>

#include "alambic/dist/world.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/reward.h"
#include "alambic/train/optimizer.h"
#include "alambic/train/training_task.h"

namespace alambic {

/// The completions of all ranks, those of rank 0 first.
std::vector<Completion> all_completions(const World& world, std::vector<Completion> own);

/// The scores of all ranks, those of rank 0 first.
std::vector<Score> all_scores(const World& world, std::vector<Score> own);

/// Makes loss and means of a rank's part those of the step (their sums), and the seconds of each
/// phase those of the slowest rank. What the report says of the whole step stays.
void add_ranks(const World& world, StepReport& report);

/// Sums the gradients over the ranks; a parameter without one on a rank counts as zeros there.
void sum_gradients(const World& world, AdamW& optimizer);

std::string to_bytes(const Metrics& figures);
Metrics metrics_of_bytes(const std::string& bytes);

/// Figures of rank 0, which alone makes them.
template <class Make>
Metrics figures_of_first(const World& world, const std::string& doing, const Make& make) {
  if (world.alone()) return make();
  const Metrics own = world.leads() ? make() : Metrics();
  return metrics_of_bytes(world.from_first(to_bytes(own), doing));
}

}  // namespace alambic
