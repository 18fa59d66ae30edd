// Line charts as inline SVG. Colors come from the page's style sheet (classes s0 … s5), so that a
// chart follows the reader's light or dark setting.
#pragma once

#include <string>
#include <vector>

#include "alambic/report/metric_info.h"

namespace alambic {

struct ChartPoint {
  double x = 0, y = 0;
  bool operator==(const ChartPoint&) const = default;
};

struct ChartSeries {
  /// A trend is noisy: faint points with a smoothed line over them. Marks are few and exact.
  enum class Style { trend, marks };
  std::string name;
  Style style = Style::trend;
  int color = 0;  ///< 0 … 5
  bool dashed = false;
  std::vector<ChartPoint> points;  ///< x does not fall; all values finite
};

/// A horizontal line to compare with: the teacher's accuracy.
struct ChartLevel {
  std::string name;
  double y = 0;
};

struct Chart {
  std::string title;
  std::string unit;
  std::string x_name = {};  ///< empty: "step" or "time"
  bool x_may_be_logarithmic = false;
  MetricKind x_kind = MetricKind::count;  ///< count (steps) or seconds
  MetricKind y_kind = MetricKind::number;
  bool may_be_logarithmic = false;  ///< ratios matter more than differences
  std::vector<ChartSeries> series;
  std::vector<ChartLevel> levels;
  int not_finite = 0;             ///< values that could not be drawn
  int width = 323, height = 190;  ///< in CSS pixels at a window of 1200
};

/// Round numbers (1, 2 or 5 times a power of ten) within [low, high], `max` at most.
std::vector<double> nice_ticks(double low, double high, int max);

/// Gaussian average over neighboring points, as wide as a fortieth of the series. A series that
/// turns at fewer than a tenth of its points (a learning rate) has no noise and stays as it is.
std::vector<ChartPoint> smooth(const std::vector<ChartPoint>& points);

/// Points that a chart needs, at most `2 * buckets`: the lowest and the highest of each bucket, so
/// that no spike is lost.
std::vector<ChartPoint> thin_out(const std::vector<ChartPoint>& points, size_t buckets);

/// The `<svg>` element. Nothing in it needs escaping but the names, which are escaped.
std::string render_svg(const Chart& chart);

}  // namespace alambic
