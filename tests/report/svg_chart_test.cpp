#include "alambic/report/svg_chart.h"

#include <gtest/gtest.h>

#include <cmath>

#include "alambic/report/chart_scale.h"

namespace alambic::svg_chart_test {
namespace {

using Ticks = std::vector<double>;

ChartSeries series_of(const std::vector<double>& values) {
  ChartSeries series;
  for (size_t i = 0; i < values.size(); ++i) {
    series.points.push_back({static_cast<double>(i), values[i]});
  }
  return series;
}

TEST(NiceTicks, AreRoundAndInside) {
  EXPECT_EQ(nice_ticks(0, 1000, 6), (Ticks{0, 200, 400, 600, 800, 1000}));
  EXPECT_EQ(nice_ticks(3, 17, 4), (Ticks{5, 10, 15}));
  EXPECT_EQ(nice_ticks(-1.2, 1.2, 4), (Ticks{-1, 0, 1}));
}

TEST(NiceTicks, EndForValuesThatAStepDoesNotChange) {
  EXPECT_LE(nice_ticks(1e300, std::nextafter(1e300, 2e300), 5).size(), 40u);
  EXPECT_TRUE(nice_ticks(1, 1, 5).empty());
  EXPECT_TRUE(nice_ticks(-1e308, 1e308, 5).empty());
}

TEST(TickLabel, HasAsManyDecimalsAsTheStep) {
  EXPECT_EQ(tick_label(0.5, {0, 0.5, 1}, MetricKind::number), "0.5");
  EXPECT_EQ(tick_label(1, {0, 0.5, 1}, MetricKind::number), "1.0");
  EXPECT_EQ(tick_label(0.0001, {0, 0.0001, 0.0002}, MetricKind::number), "0.0001");
  EXPECT_EQ(tick_label(0.2, {0, 0.2}, MetricKind::share), "20 %");
  EXPECT_EQ(tick_label(90, {0, 90}, MetricKind::seconds), "1:30");
  EXPECT_EQ(tick_label(20000, {0, 20000}, MetricKind::count), "20 k");
}

TEST(Smooth, KeepsAConstantAndTheMiddleOfNoise) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(i % 2 ? 2 : 4);
  const std::vector<ChartPoint> line = smooth(series_of(values).points);
  EXPECT_EQ(line.front().x, 0);
  EXPECT_EQ(line.back().x, 999);
  for (const ChartPoint& point : line) EXPECT_NEAR(point.y, 3, 0.05);
}

TEST(Smooth, LeavesAScheduleAndAShortSeriesAsTheyAre) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(i < 50 ? i : 50);
  const ChartSeries schedule = series_of(values);
  EXPECT_EQ(smooth(schedule.points), schedule.points);
  const ChartSeries brief = series_of({1, 5, 1, 5, 1, 5});
  EXPECT_EQ(smooth(brief.points), brief.points);
  EXPECT_TRUE(smooth({}).empty());
}

TEST(ThinOut, LosesNoSpike) {
  std::vector<double> values(10'000, 1);
  values[7777] = 100;
  values[1234] = -100;
  const std::vector<ChartPoint> kept = thin_out(series_of(values).points, 50);
  EXPECT_LE(kept.size(), 100u);
  const auto has = [&](double y) {
    return std::any_of(kept.begin(), kept.end(), [&](const ChartPoint& p) { return p.y == y; });
  };
  EXPECT_TRUE(has(100) && has(-100));
  for (size_t i = 1; i < kept.size(); ++i) EXPECT_LT(kept[i - 1].x, kept[i].x);
}

TEST(YAxis, OneSpikeDoesNotFlattenTheCurve) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(1 + 0.1 * (i * 5 % 7));
  values[500] = 1000;
  Chart chart;
  chart.series = {series_of(values)};
  EXPECT_LT(y_axis(chart).high, 100);
}

TEST(YAxis, IsLogarithmicOnlyWhereTheChartAllowsItAndAllIsPositive) {
  Chart chart;
  chart.series = {series_of({1, 0.1, 0.001})};
  EXPECT_FALSE(y_axis(chart).logarithmic);
  chart.may_be_logarithmic = true;
  EXPECT_TRUE(y_axis(chart).logarithmic);
  EXPECT_EQ(y_axis(chart).place(-5), 0);
  chart.series = {series_of({1, 0.1, 0})};
  EXPECT_FALSE(y_axis(chart).logarithmic);
}

TEST(RenderSvg, DrawsNoNanWhateverTheValues) {
  for (const std::vector<double>& values : {std::vector<double>{},
                                            {0},
                                            {5},
                                            {3, 3, 3},
                                            {1e300, -1e300},
                                            {1e-320, 1e300},
                                            {-1, -1e-9}}) {
    for (const MetricKind kind : {MetricKind::number, MetricKind::share, MetricKind::seconds,
                                  MetricKind::bytes, MetricKind::count}) {
      Chart chart;
      chart.y_kind = kind;
      chart.may_be_logarithmic = true;
      chart.series = {series_of(values)};
      const std::string svg = render_svg(chart);
      EXPECT_EQ(svg.find("nan"), std::string::npos) << svg.substr(0, 500);
      EXPECT_EQ(svg.find("inf"), std::string::npos) << svg.substr(0, 500);
      EXPECT_LT(svg.size(), 10'000u);
      EXPECT_TRUE(svg.ends_with("</svg>"));
    }
  }
}

TEST(RenderSvg, EscapesNames) {
  Chart chart;
  chart.title = "\"><script>";
  chart.series = {series_of({1, 2})};
  chart.levels = {{"<img onerror>", 1.5}};
  const std::string svg = render_svg(chart);
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_EQ(svg.find("<img"), std::string::npos);
}

}  // namespace
}  // namespace alambic::svg_chart_test
