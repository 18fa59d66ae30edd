#include "alambic/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "alambic/base/error.h"

namespace alambic {
namespace {

// Share of the way from the peak to the floor that is left after the share `along` of the fall.
double share_left(ScheduleShape shape, double along) {
  switch (shape) {
    case ScheduleShape::cosine:
      return (1 + std::cos(std::numbers::pi * along)) / 2;
    case ScheduleShape::linear:
      return 1 - along;
    case ScheduleShape::constant:
      return 1;
  }
  throw bug("a schedule of no shape");
}

}  // namespace

double Schedule::rate(double step, double progress, double warmup_share) const {
  if (step < warmup) return peak * (step + 1) / warmup;
  const double left = std::max(1e-12, 1 - warmup_share);
  const double along = std::clamp((progress - warmup_share) / left, 0.0, 1.0);
  const double share = share_left(shape, along);
  return peak * (floor_ratio + (1 - floor_ratio) * share);
}

}  // namespace alambic
