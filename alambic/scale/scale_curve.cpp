#include "alambic/scale/scale_curve.h"

#include <cmath>

namespace alambic {
namespace {

constexpr double hours_between_failures = 16384.0 * 54 * 24 / 419;  // of one device
constexpr double restart = 600;                                     // seconds
constexpr double disk_of_rank = 1e9;                                // bytes/s
constexpr double save_anyhow = 5;                                   // seconds: folders, manifest

void add_failures(CurvePoint& point) {
  const ScaleJob& job = point.plan.job;
  const auto devices = static_cast<double>(job.layout.devices);
  const double state = (12 + job.work.element) * job.student.trained;
  const double save = save_anyhow + state / devices / disk_of_rank;
  const double between = 3600 * hours_between_failures / devices;
  point.checkpoint_every = std::sqrt(2 * save * between);
  point.lost = save / point.checkpoint_every + (point.checkpoint_every / 2 + restart) / between;
}

}  // namespace

CurvePoint curve_point(const ScaleJob& job, const LayoutChoice& choice, int64_t devices) {
  ScaleJob scaled = job;
  scaled.work.completions *= static_cast<double>(devices) / static_cast<double>(job.layout.devices);
  scaled.layout.devices = devices;
  if (job.layout.teacher_devices > 0) {
    scaled.layout.teacher_devices =
        std::max<int64_t>(1, devices * job.layout.teacher_devices / job.layout.devices);
  }
  CurvePoint point{.plan = best_plan(scaled, choice)};
  for (const Traffic& message : traffic_of(point.plan.job)) point.received += message.bytes;
  add_failures(point);
  return point;
}

std::vector<CurvePoint> scale_curve(const ScaleJob& job, const LayoutChoice& choice) {
  std::vector<CurvePoint> points;
  for (int64_t devices = 8; devices < 10000; devices *= 2) {
    points.push_back(curve_point(job, choice, devices));
  }
  points.push_back(curve_point(job, choice, 10000));
  return points;
}

}  // namespace alambic
