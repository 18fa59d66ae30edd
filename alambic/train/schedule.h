#pragma once

namespace alambic {

/// Fall of the learning rate after the warm-up.
enum class ScheduleShape { cosine, linear, constant };

/// The learning rate as a function of how far the run is. A run limited by time passes its share of
/// the time as `progress`, so the schedule ends with the run.
struct Schedule {
  double peak = 0;
  ScheduleShape shape = ScheduleShape::cosine;
  double warmup = 0;       ///< steps
  double floor_ratio = 0;  ///< share of the peak at the end

  /// `step` counts from 0; the first step of a warm-up of n has peak/n. `progress` in [0, 1] is the
  /// share of the run behind this step, warm-up included; `warmup_share` the warm-up's own share.
  double rate(double step, double progress, double warmup_share) const;
};

}  // namespace alambic
