#include "alambic/report/chart_list.h"

#include <gtest/gtest.h>

#include <cmath>

#include "alambic/report/facts.h"

namespace alambic::chart_list_test {
namespace {

using Entries = std::vector<std::pair<std::string, double>>;

ReportRun run_of(const std::string& name, const std::vector<Entries>& rows) {
  ReportRun run{.name = name};
  for (const Entries& entries : rows) {
    MetricsRow& row = run.metrics.emplace_back();
    for (const auto& [key, value] : entries) row.add(key, value);
  }
  return run;
}

ReportInput input_of(std::vector<ReportRun> runs) { return {.title = "", .runs = std::move(runs)}; }

std::string titles(const ReportInput& input) {
  std::string text;
  for (const ChartGroup& group : charts_of(input)) {
    text += group.title + ":";
    for (const Chart& chart : group.charts) text += " " + chart.title + ";";
    text += " ";
  }
  return text;
}

TEST(Charts, DrawEveryMetricOnceAndUnknownOnesLast) {
  const ReportInput input = input_of({run_of("run", {{{"step", 1},
                                                      {"mystery", 1},
                                                      {"loss", 2},
                                                      {"valid_loss", 2},
                                                      {"valid_accuracy", 0.5},
                                                      {"teacher_entropy", 1},
                                                      {"student_entropy", 1},
                                                      {"learn_seconds", 1},
                                                      {"seconds", 1}}})});
  EXPECT_EQ(titles(input), "Learning: Validation accuracy; Loss; Entropy; More: Mystery; ");
  const std::vector<ChartGroup> groups = charts_of(input);
  const Chart& loss = groups[0].charts[1];
  ASSERT_EQ(loss.series.size(), 2u);
  EXPECT_EQ(loss.series[1].name, "validation");
  EXPECT_EQ(loss.series[1].style, ChartSeries::Style::marks);
}

TEST(Charts, DoNotDrawTheObjectiveASecondTime) {
  const ReportInput same =
      input_of({run_of("run", {{{"step", 1}, {"loss", 2}, {"reverse_kl", 2}}})});
  EXPECT_EQ(titles(same), "Learning: Loss: Reverse KL; ");
  const ReportInput other =
      input_of({run_of("run", {{{"step", 1}, {"loss", 2}, {"reverse_kl", 1}}})});
  EXPECT_EQ(titles(other), "Learning: Loss; Reverse KL; ");
}

TEST(Charts, CountValuesThatCannotBeDrawn) {
  const ReportInput input = input_of(
      {run_of("run", {{{"step", 1}, {"loss", 2}}, {{"step", 2}, {"loss", std::nan("")}}})});
  const Chart chart = charts_of(input)[0].charts[0];
  EXPECT_EQ(chart.not_finite, 1);
  EXPECT_EQ(chart.series[0].points.size(), 1u);
}

TEST(Charts, CompareRunsOverSecondsOnlyWhenAllHaveThem) {
  const ReportRun timed = run_of("a", {{{"step", 5}, {"loss", 2}, {"seconds", 9}}});
  const ReportRun untimed = run_of("b", {{{"step", 7}, {"loss", 1}}});
  const Chart over_time = charts_of(input_of({timed, timed}))[0].charts[0];
  EXPECT_EQ(over_time.x_kind, MetricKind::seconds);
  EXPECT_EQ(over_time.series[0].points[0].x, 9);
  const Chart over_steps = charts_of(input_of({timed, untimed}))[0].charts[0];
  EXPECT_EQ(over_steps.x_kind, MetricKind::count);
  EXPECT_EQ(over_steps.series[1].points[0].x, 7);
  EXPECT_EQ(over_steps.series[1].name, "b");
  EXPECT_NE(over_steps.series[0].color, over_steps.series[1].color);
}

TEST(ComparisonChart, ShowsTheTeacherAsALevel) {
  ReportInput input =
      input_of({run_of("a", {{{"step", 1}, {"loss", 2}, {"valid_accuracy", 0.5}}}),
                run_of("b", {{{"step", 1}, {"loss", 2}, {"valid_accuracy", 0.4}}})});
  input.results = {.columns = {"seconds", "accuracy"},
                   .rows = {{"distilled", {{.value = 1}, {.value = 0.5}}},
                            {"teacher", {{.value = 9}, {.value = 0.9}}}}};
  const std::optional<Chart> chart = comparison_chart(input);
  ASSERT_TRUE(chart);
  EXPECT_EQ(chart->title, "Validation accuracy");
  ASSERT_EQ(chart->levels.size(), 1u);
  EXPECT_EQ(chart->levels[0].y, 0.9);
  EXPECT_FALSE(comparison_chart(input_of({input.runs[0]})));
}

TEST(ComparisonChart, PrefersExactMatchAndSkipsWhatOneRunLacks) {
  const Entries both{{"step", 1}, {"loss", 2}, {"valid_loss", 2}, {"valid_exact_match", 0.5}};
  const Entries less{{"step", 1}, {"loss", 2}, {"valid_loss", 2}, {"valid_agreement", 0.5}};
  EXPECT_EQ(comparison_chart(input_of({run_of("a", {both}), run_of("b", {both})}))->title,
            "Validation exact match");
  EXPECT_EQ(comparison_chart(input_of({run_of("a", {less}), run_of("b", {both})}))->title,
            "Validation loss");
}

TEST(Facts, FitOneLineAndBeginWithWhatSaysMost) {
  const Entries row{{"step", 1},           {"seconds", 2},          {"tokens", 3},
                    {"valid_jsd", 1},      {"valid_loss", 1},       {"valid_agreement", 1},
                    {"valid_accuracy", 1}, {"peak_memory_bytes", 5}};
  const std::vector<Fact> facts = facts_of(run_of("run", {row}));
  ASSERT_EQ(facts.size(), 6u);
  EXPECT_EQ(facts[3].label, "Validation accuracy");
  EXPECT_EQ(facts[4].label, "Validation loss");
  EXPECT_EQ(facts[5].label, "Peak memory");
}

TEST(PhaseTimes, AddUpToTheTimeOfTheRun) {
  const ReportRun run =
      run_of("run", {{{"generate_seconds", 3}, {"learn_seconds", 1}, {"seconds", 5}},
                     {{"generate_seconds", 3}, {"learn_seconds", 1}, {"seconds", 10}}});
  const std::vector<PhaseTime> phases = phase_times(run);
  ASSERT_EQ(phases.size(), 3u);
  EXPECT_EQ(phases[0].name, "generate");
  EXPECT_EQ(phases[0].seconds, 6);
  EXPECT_EQ(phases[2].name, "other");
  EXPECT_EQ(phases[2].seconds, 2);
}

}  // namespace
}  // namespace alambic::chart_list_test
