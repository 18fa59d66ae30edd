// Ways to lay a job's models on its devices, the cheapest first.
#pragma once

#include <optional>

#include "alambic/scale/rank_memory.h"
#include "alambic/scale/step_time.h"

namespace alambic {

/// What the user fixes of a layout; nothing: to be chosen.
struct LayoutChoice {
  std::optional<int64_t> zero_stage, shard;
  std::optional<TeacherWeights> teacher;
  std::optional<int64_t> tensor_parallel, expert_parallel;
};

struct ScalePlan {
  ScaleJob job;
  std::vector<RankBytes> memory;
  std::vector<RankBytes>
      teacher_memory;  ///< of a device with the teacher alone; none: there is none
  StepTime time;
  bool fits = false;
};

/// The plan of a job as it stands.
ScalePlan plan_of(const ScaleJob& job);

/// Of the layouts that fit into usable_memory of each device the one with the shortest step; where
/// none does, the one that needs least. Sharding stays within a node where that is enough. A step
/// may be cut into micro-passes, as few as fit. Devices of a node write together, or divide routed
/// experts (those that share one copy then do so), where it is asked for, or where nothing fits
/// otherwise.
ScalePlan best_plan(const ScaleJob& job, const LayoutChoice& choice = {});

}  // namespace alambic
