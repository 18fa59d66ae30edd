#pragma once

#include <cstdint>
#include <vector>

#include "alambic/teacher/reward.h"

namespace alambic {

/// A run's count of completions without a score: a broken reward must not look like a hard task.
class DroppedScores {
 public:
  /// `max_share`: of completions without a score, from 0 to 1.
  explicit DroppedScores(double max_share = 0.1) : max_share_(max_share) {}

  /// Adds these scores. An input error with the last reason once at least 20 completions were
  /// scored and more than `max_share` of them have no score.
  void count(const std::vector<Score>& scores);

 private:
  double max_share_;
  int64_t scored_ = 0, dropped_ = 0;
};

}  // namespace alambic
