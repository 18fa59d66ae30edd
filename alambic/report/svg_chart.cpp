#include "alambic/report/svg_chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "alambic/report/chart_scale.h"
#include "alambic/report/html_escape.h"

namespace alambic {

namespace {

// Noise changes direction at two steps of three, a schedule hardly ever.
bool is_noisy(const std::vector<ChartPoint>& points) {
  size_t turns = 0;
  for (size_t i = 2; i < points.size(); ++i) {
    const bool rose = points[i - 1].y > points[i - 2].y, fell = points[i - 1].y < points[i - 2].y;
    turns += (rose && points[i].y < points[i - 1].y) || (fell && points[i].y > points[i - 1].y);
  }
  return turns > points.size() / 10;
}

}  // namespace

std::vector<ChartPoint> smooth(const std::vector<ChartPoint>& points) {
  const auto count = static_cast<int64_t>(points.size());
  const double sigma = static_cast<double>(count) / 40;
  if (sigma < 0.5 || !is_noisy(points)) return points;
  const auto reach = static_cast<int64_t>(std::ceil(3 * sigma));
  std::vector<double> kernel;
  for (int64_t d = 0; d <= reach; ++d) {
    kernel.push_back(std::exp(-0.5 * static_cast<double>(d * d) / (sigma * sigma)));
  }
  // A wide kernel over a long run would cost count^2 / 7: every stride-th point is as smooth.
  const int64_t stride = std::max<int64_t>(1, count / 400);
  std::vector<ChartPoint> smoothed;
  for (int64_t i = 0;; i = std::min(i + stride, count - 1)) {
    double sum = 0, weight = 0;
    for (int64_t j = std::max<int64_t>(0, i - reach); j <= std::min(count - 1, i + reach); ++j) {
      const double k = kernel[static_cast<size_t>(std::abs(i - j))];
      sum += k * points[static_cast<size_t>(j)].y;
      weight += k;
    }
    smoothed.push_back({points[static_cast<size_t>(i)].x, sum / weight});
    if (i == count - 1) return smoothed;
  }
}

std::vector<ChartPoint> thin_out(const std::vector<ChartPoint>& points, size_t buckets) {
  if (points.size() <= 2 * buckets) return points;
  const auto lower = [](const ChartPoint& a, const ChartPoint& b) { return a.y < b.y; };
  std::vector<ChartPoint> kept;
  for (size_t bucket = 0; bucket < buckets; ++bucket) {
    const auto first = points.begin() + static_cast<int64_t>(bucket * points.size() / buckets);
    const auto last = points.begin() + static_cast<int64_t>((bucket + 1) * points.size() / buckets);
    auto [low, high] = std::minmax_element(first, last, lower);
    if (high < low) std::swap(low, high);
    kept.push_back(*low);
    if (high != low) kept.push_back(*high);
  }
  return kept;
}

namespace {

constexpr int margin_left = 52, margin_right = 12, margin_top = 10, margin_bottom = 24;

struct Plot {
  const Chart& chart;
  Axis x, y;
  double left = margin_left, top = margin_top;
  double width = chart.width - margin_left - margin_right;
  double height = chart.height - margin_top - margin_bottom;

  double at_x(double value) const { return left + width * x.place(value); }
  double at_y(double value) const {
    // Points beyond a clipped axis stay at its edge, where they can be seen.
    return top + height * (1 - std::clamp(y.place(value), 0.0, 1.0));
  }
};

std::string line_path(const Plot& plot, const std::vector<ChartPoint>& points) {
  std::string path;
  for (const ChartPoint& point : points) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L', plot.at_x(point.x),
                        plot.at_y(point.y));
  }
  return path;
}

// Zero-length strokes with round caps are dots: a tenth of the size of `<circle>` elements.
std::string dots_path(const Plot& plot, const std::vector<ChartPoint>& points) {
  std::string path;
  for (const ChartPoint& point : points) {
    path += fmt::format("M{:.1f} {:.1f}h0", plot.at_x(point.x), plot.at_y(point.y));
  }
  return path;
}

std::string x_name(const Chart& chart) {
  if (!chart.x_name.empty()) return escape_html(chart.x_name);
  return chart.x_kind == MetricKind::seconds ? "time" : "step";
}

std::string axes(const Plot& plot) {
  const double right = plot.left + plot.width, bottom = plot.top + plot.height;
  std::string svg;
  for (const double tick : plot.y.ticks) {
    const double y = plot.at_y(tick);
    svg += fmt::format(R"(<path class="grid" d="M{:.1f} {:.1f}H{:.1f}"/>)", plot.left, y, right);
    svg += fmt::format(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)",
                       plot.left - 6, y + 3.5, tick_label(tick, plot.y.ticks, plot.chart.y_kind));
  }
  svg += fmt::format(R"(<path class="axis" d="M{:.1f} {:.1f}H{:.1f}"/>)", plot.left, bottom, right);
  svg += fmt::format(R"(<text class="axis-name" x="2" y="{:.1f}">{}</text>)", bottom + 16,
                     x_name(plot.chart));
  for (const double tick : plot.x.ticks) {
    const double x = plot.at_x(tick);
    const std::string_view anchor = x > right - 12 ? "end" : "middle";
    svg += fmt::format(R"(<path class="axis" d="M{:.1f} {:.1f}v4"/>)", x, bottom);
    svg += fmt::format(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)",
                       anchor == "end" ? right : x, bottom + 16, anchor,
                       tick_label(tick, plot.x.ticks, plot.chart.x_kind));
  }
  return svg;
}

std::string draw_series(const Plot& plot, const ChartSeries& series) {
  if (series.points.empty()) return "";
  const int color = series.color % 6;
  const bool trend = series.style == ChartSeries::Style::trend;
  const std::vector<ChartPoint> line = trend ? smooth(series.points) : series.points;
  std::string svg;
  if (trend && line != series.points) {
    svg += fmt::format(R"(<path class="cloud s{}" d="{}"/>)", color,
                       dots_path(plot, thin_out(series.points, 250)));
  }
  svg += fmt::format(R"(<path class="line{} s{}" d="{}"/>)", series.dashed ? " dashed" : "", color,
                     line_path(plot, thin_out(line, 250)));
  if ((!trend || line.size() == 1) && line.size() <= 60) {
    svg += fmt::format(R"(<path class="marks s{}" d="{}"/>)", color, dots_path(plot, line));
  }
  return svg;
}

std::string draw_level(const Plot& plot, const ChartLevel& level) {
  const double y = plot.at_y(level.y);
  const double right = plot.left + plot.width;
  const double text_y = y < plot.top + 14 ? y + 13 : y - 5;
  return fmt::format(R"(<path class="level" d="M{:.1f} {:.1f}H{:.1f}"/>)", plot.left, y, right) +
         fmt::format(R"(<text class="level-name" x="{:.1f}" y="{:.1f}">{} {}</text>)",
                     plot.left + 6, text_y, escape_html(level.name),
                     format_metric(level.y, plot.chart.y_kind));
}

}  // namespace

std::string render_svg(const Chart& chart) {
  const Plot plot{.chart = chart, .x = x_axis(chart), .y = y_axis(chart)};
  std::string svg = fmt::format(R"(<svg viewBox="0 0 {} {}" role="img" aria-label="{}">)",
                                chart.width, chart.height, escape_html(chart.title));
  svg += axes(plot);
  for (const ChartLevel& level : chart.levels) svg += draw_level(plot, level);
  for (const ChartSeries& series : chart.series) svg += draw_series(plot, series);
  return svg + "</svg>";
}

}  // namespace alambic
