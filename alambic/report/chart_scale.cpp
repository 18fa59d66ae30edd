#include "alambic/report/chart_scale.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "alambic/base/units.h"

namespace alambic {

double Axis::place(double value) const {
  if (logarithmic) return std::log(std::max(value, low) / low) / std::log(high / low);
  return (value - low) / (high - low);
}

namespace {

// Ends the loop where values are so large that adding a step does not change them.
constexpr int max_ticks = 40;

std::vector<double> multiples(double step, double low, double high) {
  std::vector<double> ticks;
  const double slack = step * 1e-6;
  const double first = std::ceil((low - slack) / step);
  for (int i = 0; i < max_ticks; ++i) {
    const double tick = (first + i) * step;
    if (tick > high + slack) break;
    ticks.push_back(tick);
  }
  return ticks;
}

std::vector<double> time_ticks(double low, double high, int max) {
  for (const double step : {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400,
                            21600, 43200, 86400}) {
    if ((high - low) / step < max) return multiples(step, low, high);
  }
  return nice_ticks(low, high, max);
}

std::vector<double> log_ticks(double low, double high) {
  std::vector<double> ticks;
  const double decades = std::log10(high / low);
  const double stride = std::ceil(decades / 6);
  for (double decade = std::floor(std::log10(low)); decade <= std::log10(high); decade += stride) {
    for (const double digit : {1, 2, 5}) {
      if (digit != 1 && decades > 2.5) continue;
      const double tick = digit * std::pow(10, decade);
      if (tick >= low && tick <= high) ticks.push_back(tick);
    }
  }
  return ticks;
}

// A value a million million times smaller than the greatest is not worth the room.
constexpr double min_ratio = 1e-12;

struct Values {
  std::vector<double> lines;   // all of these must be visible
  std::vector<double> clouds;  // most of these
};

Values values_of(const Chart& chart) {
  Values values;
  for (const ChartSeries& series : chart.series) {
    const bool trend = series.style == ChartSeries::Style::trend;
    for (const ChartPoint& point : trend ? smooth(series.points) : series.points) {
      values.lines.push_back(point.y);
    }
    if (!trend) continue;
    for (const ChartPoint& point : series.points) values.clouds.push_back(point.y);
  }
  for (const ChartLevel& level : chart.levels) values.lines.push_back(level.y);
  std::sort(values.lines.begin(), values.lines.end());
  std::sort(values.clouds.begin(), values.clouds.end());
  return values;
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int max) {
  const double span = high - low;
  if (!(span > 0) || !std::isfinite(span)) return {};
  double step = std::pow(10, std::floor(std::log10(span / max)));
  if (!(step > 1e-300)) return {};
  for (const double factor : {2.0, 2.5, 2.0}) {
    if (span / step < max) break;
    step *= factor;  // 1, 2, 5, 10
  }
  return multiples(step, low, high);
}

Axis x_axis(const Chart& chart) {
  Axis axis{.low = HUGE_VAL, .high = -HUGE_VAL, .ticks = {}};
  for (const ChartSeries& series : chart.series) {
    for (const ChartPoint& point : series.points) {
      axis.low = std::min(axis.low, point.x);
      axis.high = std::max(axis.high, point.x);
    }
  }
  if (!(axis.low <= axis.high)) axis.low = axis.high = 0;
  if (chart.x_may_be_logarithmic && axis.low > 0 && axis.high > 50 * axis.low) {
    axis.logarithmic = true;
    axis.ticks = log_ticks(axis.low, axis.high);
    return axis;
  }
  if (axis.low > 0 && axis.low < 0.3 * axis.high) axis.low = 0;
  if (axis.high - axis.low <= 1e-9 * std::abs(axis.high))
    axis.high += std::max(1.0, 0.1 * std::abs(axis.high));
  const int max = chart.width / 50;
  axis.ticks = chart.x_kind == MetricKind::seconds ? time_ticks(axis.low, axis.high, max)
                                                   : nice_ticks(axis.low, axis.high, max);
  return axis;
}

Axis y_axis(const Chart& chart) {
  const auto [lines, clouds] = values_of(chart);
  if (lines.empty()) return {};
  Axis axis{.low = lines.front(), .high = lines.back(), .ticks = {}};
  if (!clouds.empty()) {
    const size_t cut = clouds.size() / 100;
    axis.low = std::min(axis.low, clouds[cut]);
    axis.high = std::max(axis.high, clouds[clouds.size() - 1 - cut]);
  }
  if (chart.may_be_logarithmic && axis.low > 0 && axis.high > 1e-100 && axis.high > 50 * axis.low) {
    axis.logarithmic = true;
    axis.low = std::max(axis.low, axis.high * min_ratio);
    axis.low /= 1.15;
    axis.high *= 1.15;
    axis.ticks = log_ticks(axis.low, axis.high);
    return axis;
  }
  const double size = std::max(std::abs(axis.low), std::abs(axis.high));
  if (axis.high - axis.low <= 1e-9 * size) {
    const double around = size == 0 ? 1 : 0.1 * size;
    axis.low -= around;
    axis.high += around;
  }
  const double pad = 0.06 * (axis.high - axis.low);
  const bool from_zero = axis.low >= 0 && axis.low < 0.35 * axis.high;
  axis.low = from_zero ? 0 : axis.low - pad;
  axis.high += pad;
  if (chart.y_kind == MetricKind::share) {
    axis.low = std::max(axis.low, 0.0);
    axis.high = std::min(axis.high, std::max(1.0, lines.back()));
  }
  axis.ticks = nice_ticks(axis.low, axis.high, std::max(5, chart.height / 42));
  return axis;
}

namespace {

int decimals_for(double step) {
  return std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
}

std::string short_count(double value) {
  const double size = std::abs(value);
  if (size >= 1e6) return fmt::format("{:g} M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:g} k", value / 1e3);
  if (size >= 1000) return with_separators(std::llround(value));
  return fmt::format("{:g}", value);
}

}  // namespace

std::string tick_label(double value, const std::vector<double>& ticks, MetricKind kind) {
  if (std::abs(value) < 1e-300) value = 0;
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : std::max(std::abs(value), 1e-300);
  switch (kind) {
    case MetricKind::seconds:
      return human_duration(value);
    case MetricKind::share:
      return fmt::format("{:.{}f} %", 100 * value, decimals_for(100 * step));
    case MetricKind::bytes:
      return human_bytes(value);
    case MetricKind::count:
      return short_count(value);
    case MetricKind::number:
      break;
  }
  const double size = std::max(std::abs(ticks.empty() ? value : ticks.back()), step);
  if (size < 1e-3 && value != 0) return fmt::format("{:.2g}", value);
  if (size >= 1e4) return short_count(value);
  return fmt::format("{:.{}f}", value, decimals_for(step));
}

}  // namespace alambic
