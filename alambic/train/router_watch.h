#pragma once

#include <vector>

#include "alambic/base/metrics.h"
#include "alambic/dist/world.h"
#include "alambic/model/model.h"

namespace alambic {

/// Counts what a student's routers choose while it learns.
struct RouterWatch {
  std::vector<Router*> routers;

  explicit RouterWatch(Model& student) : routers(student.routers()) {}
  void start() const;
  /// load_balance and largest_expert_share of the passes with gradients since then
  /// (docs/numerics.md), on all ranks; nothing of a student without experts.
  Metrics finish(const World& world) const;
};

}  // namespace alambic
