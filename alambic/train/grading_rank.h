// One of the teachers' own ranks: it grades what the learners' ranks ask for.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alambic/dist/layer_weights.h"
#include "alambic/teacher/local.h"

namespace alambic {

/// A teacher of the run, of which every one of the teachers' ranks has a part or all.
struct RankGrader {
  std::shared_ptr<const LocalTeacher> teacher;
  std::shared_ptr<LayerWeights> layers;  ///< null: all are here
};

struct GradingRank {
  std::shared_ptr<const World> all;       ///< ranks of the job, the learners first
  int64_t learners = 0;                   ///< of them
  std::shared_ptr<const World> teachers;  ///< the others
  std::vector<RankGrader> graders;        ///< in the order of --teacher
  int64_t max_staleness = 0;              ///< DistillationSettings::max_staleness
  at::Device device = at::kCPU;
  /// Told of what this rank is at; may be empty.
  std::function<void(int64_t step, const std::string& phase)> on_phase = {};

  /// Sends each learner that begins with this rank the heads of the teachers.
  void send_heads() const;
  /// Grades, round by round, until the learners end; returns what they end with
  /// (TeacherRanks::end). The order of passes depends on the requests alone, not on when they come.
  int64_t grade() const;
};

}  // namespace alambic
