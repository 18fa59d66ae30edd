#include "alambic/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace alambic {

double Schedule::rate(double step, double progress, double warmup_share) const {
  if (step < warmup) return peak * (step + 1) / warmup;
  const double left = std::max(1e-12, 1 - warmup_share);
  const double along = std::clamp((progress - warmup_share) / left, 0.0, 1.0);
  double share = 1;
  if (shape == "linear") share = 1 - along;
  if (shape == "cosine") share = (1 + std::cos(std::numbers::pi * along)) / 2;
  return peak * (floor_ratio + (1 - floor_ratio) * share);
}

}  // namespace alambic
