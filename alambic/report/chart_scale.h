// The axes of a chart: which values it shows, where they go, and how its ticks are written.
#pragma once

#include <string>
#include <vector>

#include "alambic/report/svg_chart.h"

namespace alambic {

struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;
  std::vector<double> ticks;

  /// 0 at `low`, 1 at `high`.
  double place(double value) const;
};

Axis x_axis(const Chart& chart);
/// Spans the trends' smoothed lines and all but the most extreme hundredth of their points; is
/// logarithmic where the chart allows it and positive numbers span more than a factor of 50.
Axis y_axis(const Chart& chart);

std::string tick_label(double value, const std::vector<double>& ticks, MetricKind kind);

}  // namespace alambic
