#include "alambic/report/chart_list.h"

#include <algorithm>
#include <cmath>

namespace alambic {
namespace {

struct ChartSpec {
  std::string group, title, unit;
  std::vector<std::string> keys;
};

// The order of groups and charts on the page.
const std::vector<ChartSpec>& known_charts() {
  static const std::vector<ChartSpec> charts{
      {"Learning", "", "", {"reward"}},
      {"Learning", "", "", {"loss"}},
      {"Learning", "", "", {"reverse_kl"}},
      {"Learning", "", "", {"forward_kl"}},
      {"Learning", "", "", {"sampled_reverse_kl"}},
      {"Learning", "", "", {"jsd"}},
      {"Learning", "", "", {"cross_entropy"}},
      {"Learning", "", "", {"agreement"}},
      {"Learning", "Entropy", "nats per token", {"student_entropy", "teacher_entropy"}},
      {"Learning", "", "", {"sampled_entropy"}},
      {"Learning", "", "", {"reference_kl"}},
      {"Learning", "", "", {"clip_share"}},
      {"Learning", "", "", {"load_balance"}},
      {"Learning", "", "", {"largest_expert_share"}},
      {"Completions", "", "", {"reward_std"}},
      {"Completions", "", "", {"equal_share"}},
      {"Completions", "", "", {"dropped_share"}},
      {"Completions", "", "", {"completion_length"}},
      {"Completions", "", "", {"eos_share"}},
      {"Completions", "", "", {"repetition"}},
      {"Optimizer", "", "", {"grad_norm"}},
      {"Optimizer", "", "", {"learning_rate"}},
      {"Speed and memory",
       "Speed",
       "tokens/s",
       {"tokens_per_second", "generate_tokens_per_second", "grade_tokens_per_second",
        "learn_tokens_per_second"}},
      {"Speed and memory", "", "", {"tokens"}},
      {"Speed and memory", "", "", {"peak_memory_bytes"}},
      {"Speed and memory", "", "", {"device_peak_memory_bytes"}},
  };
  return charts;
}

bool is_drawn(const std::string& key) {
  return key != "step" && key != "seconds" && !key.ends_with("_seconds");
}

std::vector<std::string> numeric_keys(const ReportInput& input) {
  std::vector<std::string> keys;
  for (const ReportRun& run : input.runs) {
    for (const MetricsRow& row : run.metrics) {
      for (const auto& [key, value] : row.entries) {
        if (std::holds_alternative<std::string>(value) || !is_drawn(key)) continue;
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
      }
    }
  }
  return keys;
}

bool contains(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// Known charts that have data, then validation metrics that stand alone, then the rest.
std::vector<ChartSpec> chart_specs(const std::vector<std::string>& keys) {
  std::vector<ChartSpec> specs;
  std::vector<std::string> used;
  for (ChartSpec spec : known_charts()) {
    std::erase_if(spec.keys, [&](const std::string& key) {
      return !contains(keys, key) && !contains(keys, "valid_" + key);
    });
    if (spec.keys.empty()) continue;
    used.insert(used.end(), spec.keys.begin(), spec.keys.end());
    specs.push_back(std::move(spec));
  }
  std::vector<ChartSpec> alone, more;
  for (const std::string& key : keys) {
    const bool valid = key.starts_with("valid_") && key.size() > 6;
    const std::string base = valid ? key.substr(6) : key;
    if (contains(used, base)) continue;
    if (valid && !contains(keys, base)) {
      alone.push_back({"Learning", metric_info(key).label, "", {base}});
    } else {
      more.push_back({"More", "", "", {base}});
    }
    used.push_back(base);
  }
  specs.insert(specs.begin(), alone.begin(), alone.end());
  specs.insert(specs.end(), more.begin(), more.end());
  return specs;
}

bool over_seconds(const ReportInput& input) {
  return input.runs.size() > 1 &&
         std::all_of(input.runs.begin(), input.runs.end(), [](const ReportRun& run) {
           return run.metrics.empty() || run.metrics.back().number("seconds");
         });
}

// Beyond this a difference of two values could overflow; nothing worth drawing is there.
constexpr double largest_drawn = 1e300;

ChartSeries series_of(const ReportRun& run, const std::string& key, bool seconds, int& not_finite) {
  ChartSeries series;
  double position = 0;
  for (const MetricsRow& row : run.metrics) {
    const double next = row.number(seconds ? "seconds" : "step").value_or(position + !seconds);
    if (std::abs(next) < largest_drawn) position = std::max(position, next);
    const std::optional<double> value = row.number(key);
    if (!value) continue;
    if (std::abs(*value) < largest_drawn) {
      series.points.push_back({position, *value});
    } else {
      ++not_finite;
    }
  }
  return series;
}

// The metric that is the loss under its own name, if any: drawing both would say nothing more.
std::string objective_drawn_as_loss(const ReportInput& input,
                                    const std::vector<std::string>& keys) {
  if (input.runs.size() != 1) return "";
  for (const char* name : {"reverse_kl", "forward_kl", "jsd", "cross_entropy"}) {
    const std::string key = name;
    if (!contains(keys, key) || contains(keys, "valid_" + key)) continue;
    const std::vector<MetricsRow>& rows = input.runs[0].metrics;
    const auto same = [&](const MetricsRow& row) { return row.number(key) == row.number("loss"); };
    if (std::all_of(rows.begin(), rows.end(), same)) return key;
  }
  return "";
}

// Bytes are drawn in one unit, so that round ticks stay round.
void scale_bytes(Chart& chart) {
  double max = 0;
  for (const ChartSeries& series : chart.series) {
    for (const ChartPoint& point : series.points) max = std::max(max, point.y);
  }
  const bool gib = max >= 0x1p30;
  chart.unit = gib ? "GiB" : "MiB";
  chart.y_kind = MetricKind::number;
  for (ChartSeries& series : chart.series) {
    for (ChartPoint& point : series.points) point.y /= gib ? 0x1p30 : 0x1p20;
  }
}

std::string series_name(const std::string& run, const std::string& metric,
                        const std::string& part) {
  if (run.empty() && metric.empty()) return part;
  if (run.empty() || metric.empty()) return run + metric;
  return run + ", " + metric;
}

Chart make_chart(const ReportInput& input, ChartSpec spec) {
  // Every phase of every run would be a thicket.
  if (input.runs.size() > 1 && spec.keys.size() > 2) spec.keys.resize(1);
  const MetricInfo info = metric_info(spec.keys[0]);
  const bool seconds = over_seconds(input);
  const bool several_runs = input.runs.size() > 1;
  Chart chart{.title = spec.title.empty() ? info.label : spec.title,
              .unit = spec.unit.empty() ? info.unit : spec.unit,
              .x_kind = seconds ? MetricKind::seconds : MetricKind::count,
              .y_kind = info.kind,
              .series = {},
              .levels = {}};
  const std::string& first = spec.keys[0];
  chart.may_be_logarithmic =
      first == "loss" || first == "jsd" || first == "grad_norm" || first.ends_with("_kl");
  bool train_too = false, valid_too = false;
  int run_color = 0;
  for (const ReportRun& run : input.runs) {
    int key_color = 0;
    for (const std::string& key : spec.keys) {
      ChartSeries train = series_of(run, key, seconds, chart.not_finite);
      ChartSeries valid = series_of(run, "valid_" + key, seconds, chart.not_finite);
      valid.style = ChartSeries::Style::marks;
      const bool several_keys = spec.keys.size() > 1;
      train.name = series_name(several_runs ? run.name : "",
                               several_keys ? metric_info(key).label : "", "training");
      valid.name = series_name(several_runs ? run.name : "",
                               several_keys ? metric_info(key).label : "", "validation");
      train.color = several_runs ? run_color : key_color;
      const bool alone = several_runs || several_keys || train.points.empty();
      valid.color = alone ? train.color : 1;
      train.dashed = several_runs && key_color > 0;
      train_too |= !train.points.empty();
      valid_too |= !valid.points.empty();
      if (!train.points.empty()) chart.series.push_back(std::move(train));
      if (!valid.points.empty()) chart.series.push_back(std::move(valid));
      ++key_color;
    }
    ++run_color;
  }
  if ((several_runs || spec.keys.size() > 1) && train_too && valid_too) {
    chart.unit += chart.unit.empty() ? "dots: validation" : " · dots: validation";
  }
  if (chart.y_kind == MetricKind::bytes) scale_bytes(chart);
  return chart;
}

}  // namespace

std::vector<ChartGroup> charts_of(const ReportInput& input) {
  std::vector<ChartGroup> groups;
  const std::vector<std::string> keys = numeric_keys(input);
  const std::string objective = objective_drawn_as_loss(input, keys);
  for (const ChartSpec& spec : chart_specs(keys)) {
    if (spec.keys[0] == objective) continue;
    Chart chart = make_chart(input, spec);
    if (chart.series.empty() && chart.not_finite == 0) continue;
    if (spec.keys[0] == "loss" && !objective.empty()) {
      chart.title += ": " + metric_info(objective).label;
    }
    auto group = std::find_if(groups.begin(), groups.end(), [&](const ChartGroup& candidate) {
      return candidate.title == spec.group;
    });
    if (group == groups.end()) group = groups.insert(groups.end(), {spec.group, {}});
    group->charts.push_back(std::move(chart));
  }
  return groups;
}

namespace {

bool all_have(const std::vector<ReportRun>& runs, const std::string& key) {
  return std::all_of(runs.begin(), runs.end(), [&](const ReportRun& run) {
    return std::any_of(run.metrics.begin(), run.metrics.end(),
                       [&](const MetricsRow& row) { return row.number(key).has_value(); });
  });
}

}  // namespace

std::optional<Chart> comparison_chart(const ReportInput& input) {
  if (input.runs.size() < 2) return {};
  const std::vector<std::string> keys = numeric_keys(input);
  std::string key;
  for (const std::string& candidate : keys) {
    if (!candidate.starts_with("valid_") || !all_have(input.runs, candidate)) continue;
    if (key.empty() || metric_rank(candidate) < metric_rank(key)) key = candidate;
  }
  if (key.empty() && contains(keys, "loss")) key = "loss";
  if (key.empty()) return {};
  const MetricInfo info = metric_info(key);
  Chart chart = make_chart(input, {"", info.label, info.unit, {key}});
  if (key.starts_with("valid_")) {
    for (ChartSeries& series : chart.series) series.style = ChartSeries::Style::marks;
    key = key.substr(6);
  }
  chart.width = 1054;
  chart.height = 340;
  const auto& columns = input.results.columns;
  const auto column = std::find(columns.begin(), columns.end(), key) - columns.begin();
  for (const ResultsRow& row : input.results.rows) {
    if (!row.name.starts_with("teacher") || column >= std::ssize(row.cells)) continue;
    const std::optional<double> value = row.cells[static_cast<size_t>(column)].value;
    if (value && std::abs(*value) < largest_drawn) chart.levels.push_back({row.name, *value});
  }
  return chart;
}

}  // namespace alambic
