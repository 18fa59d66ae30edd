// What the ranks of a job tell each other of one step, so that it is the step of one process.
#pragma once

#include <vector>

#include "alambic/dist/layer_weights.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/reward.h"
#include "alambic/teacher/teacher_ranks.h"
#include "alambic/train/optimizer.h"
#include "alambic/train/training_task.h"

namespace alambic {

/// The completions of all ranks, those of rank 0 first.
std::vector<Completion> all_completions(const World& world, std::vector<Completion> own);

/// The largest of the ranks' numbers, none of which is below 0.
int64_t largest_of_ranks(const World& world, int64_t number, const std::string& doing);

/// The scores of all ranks, those of rank 0 first.
std::vector<Score> all_scores(const World& world, std::vector<Score> own);

/// Makes loss and means of a rank's part those of the step (their sums), and the seconds of each
/// phase those of the slowest rank: "slowest_rank" is who took longest in all, and
/// "slowest_rank_share" by how much more than the mean, `waited` seconds for others not counted.
/// What the report says of the whole step stays.
void add_ranks(const World& world, double waited, StepReport& report);

/// Adds what the teachers' ranks have done for this step: "teacher_rank_seconds" are those in which
/// the busiest of them graded. All learners call it.
void add_teacher_ranks(const World& learners, TeacherRanks& teachers, StepReport& report);

/// Sums the gradients over the ranks; a parameter without one on a rank counts as zeros there.
void sum_gradients(const World& world, AdamW& optimizer);

std::string to_bytes(const Metrics& figures);
Metrics metrics_of_bytes(const std::string& bytes);

/// Figures of rank 0, which alone makes them; the others take part in the passes of these models.
template <class Make>
Metrics figures_of_first(const World& world, const std::vector<LayerWeights*>& models,
                         const std::string& doing, const Make& make) {
  if (world.alone()) return make();
  Metrics own;
  {
    const LedPasses led(world, models);
    if (world.leads()) own = make();
  }
  return metrics_of_bytes(world.from_first(to_bytes(own), doing));
}

}  // namespace alambic
