// One kind of job on ever more devices.
#pragma once

#include <vector>

#include "alambic/scale/layouts.h"

namespace alambic {

struct CurvePoint {
  ScalePlan plan;
  double received = 0;          ///< bytes of a rank in a step
  double checkpoint_every = 0;  ///< seconds
  double lost = 0;              ///< share of the time that saving and failures take
};

/// The job on 8, 16, … 8,192 and 10,000 devices with as many completions for each as `job` has for
/// each of its own. A device fails once in 50,700 hours, as in the 54 days of Llama 3 405B on
/// 16,384 H100 (419 stops; arXiv 2407.21783, §3.3.4); checkpoints are taken every √(2 · seconds of
/// one · time between failures) (Young 1974), and after a failure half of that and ten minutes are
/// lost.
std::vector<CurvePoint> scale_curve(const ScaleJob& job, const LayoutChoice& choice = {});

/// A point of it.
CurvePoint curve_point(const ScaleJob& job, const LayoutChoice& choice, int64_t devices);

}  // namespace alambic
