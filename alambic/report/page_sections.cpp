#include "alambic/report/page_sections.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "alambic/base/units.h"
#include "alambic/report/chart_list.h"
#include "alambic/report/facts.h"
#include "alambic/report/html_escape.h"

namespace alambic {
namespace {

std::string result_cell(const ResultsCell& cell, MetricKind kind) {
  if (!cell.value)
    return fmt::format("<td>{}</td>", cell.text.empty() ? "–" : escape_html(cell.text));
  const std::string text = cell.text.empty() ? format_metric(*cell.value, kind) : cell.text;
  std::string meter;
  if (kind == MetricKind::share && *cell.value >= 0 && *cell.value <= 1) {
    meter = fmt::format(R"(<span class="meter"><i style="width:{:.1f}%"></i></span>)",
                        100 * *cell.value);
  }
  return fmt::format("<td>{}{}</td>", escape_html(text), meter);
}

std::string legend(const std::vector<ChartSeries>& all) {
  std::string html;
  std::vector<std::string> seen;
  for (const ChartSeries& series : all) {
    if (std::find(seen.begin(), seen.end(), series.name) != seen.end()) continue;
    seen.push_back(series.name);
    html += fmt::format(R"(<span class="s{}{}">{}</span>)", series.color % 6,
                        series.dashed ? " dashed" : "", escape_html(series.name));
  }
  // One unnamed curve needs no legend; one run's curve on a page of several does.
  if (seen.size() < 2 && (seen.empty() || seen[0] == "training" || seen[0] == "validation")) {
    html.clear();
  }
  return fmt::format(R"(<div class="legend">{}</div>)", html);
}

std::string figure(const Chart& chart) {
  std::string last;
  if (chart.series.size() == 1 && !chart.series[0].points.empty()) {
    last = format_metric(smooth(chart.series[0].points).back().y, chart.y_kind);
  }
  std::string unit = escape_html(chart.unit);
  if (chart.not_finite > 0) {
    unit += fmt::format("{}{} not finite", unit.empty() ? "" : " · ", chart.not_finite);
  }
  return fmt::format(R"(<figure><figcaption><b>{}</b><span class="unit">{}</span>)"
                     R"(<span class="last">{}</span></figcaption>{}{}</figure>)",
                     escape_html(chart.title), unit, last, legend(chart.series), render_svg(chart));
}

}  // namespace

std::string results_section(const ResultsTable& results) {
  if (results.rows.empty()) return "";
  std::string html = R"(<h2>Results</h2><div class="scroll"><table><thead><tr><th></th>)";
  std::vector<MetricKind> kinds;
  for (const std::string& column : results.columns) {
    const MetricInfo info = metric_info(column);
    kinds.push_back(info.kind);
    html += fmt::format("<th>{}</th>", escape_html(info.label));
  }
  html += "</tr></thead><tbody>";
  for (const ResultsRow& row : results.rows) {
    html += fmt::format("<tr{}><td>{}</td>", row.highlighted ? R"( class="highlighted")" : "",
                        escape_html(row.name));
    for (size_t i = 0; i < row.cells.size() && i < kinds.size(); ++i) {
      html += result_cell(row.cells[i], kinds[i]);
    }
    html += "</tr>";
  }
  html += "</tbody></table></div>";
  if (!results.note.empty()) {
    html += fmt::format(R"(<p class="note">{}</p>)", escape_html(results.note));
  }
  return html;
}

std::string comparison_section(const ReportInput& input) {
  const std::optional<Chart> chart = comparison_chart(input);
  if (!chart) return "";
  const std::string_view over = chart->x_kind == MetricKind::seconds ? "time" : "steps";
  return fmt::format(R"(<h2>{} over {}</h2><figure class="wide">{}{}</figure>)",
                     escape_html(chart->title), over, legend(chart->series), render_svg(*chart));
}

std::string charts_section(const ReportInput& input) {
  std::string html;
  const std::optional<Chart> shown_above = comparison_chart(input);
  std::vector<ChartGroup> groups = charts_of(input);
  groups.insert(groups.begin(), {.title = "Charts", .charts = input.charts});
  for (ChartGroup& group : groups) {
    if (shown_above) {
      std::erase_if(group.charts,
                    [&](const Chart& chart) { return chart.title == shown_above->title; });
    }
    if (group.charts.empty()) continue;
    const size_t count = group.charts.size();
    const bool pair = count <= 2 || count == 4;
    html += fmt::format(R"(<h2>{}</h2><div class="charts{}">)", escape_html(group.title),
                        pair ? " pair" : "");
    for (Chart& chart : group.charts) {
      if (pair) chart.width = 506;
      html += figure(chart);
    }
    html += "</div>";
  }
  return html;
}

std::string phases_section(const ReportInput& input) {
  std::map<std::string, size_t> colors;
  std::string bars, names;
  for (const ReportRun& run : input.runs) {
    const std::vector<PhaseTime> phases = phase_times(run);
    double total = 0;
    for (const PhaseTime& phase : phases) total += phase.seconds;
    if (!(total > 0)) continue;
    bars += fmt::format(R"(<span>{}</span><span class="bar">)", escape_html(run.name));
    for (const PhaseTime& phase : phases) {
      const auto [color, is_new] =
          colors.try_emplace(phase.name, phase.name == "other" ? 5 : colors.size() % 5);
      const std::string label =
          fmt::format("{} {} ({:.0f} %)", escape_html(phase.name), human_duration(phase.seconds),
                      100 * phase.seconds / total);
      bars += fmt::format(R"(<i class="s{}" style="width:{:.2f}%" title="{}"></i>)", color->second,
                          100 * phase.seconds / total, label);
      if (is_new || input.runs.size() == 1) {
        names += fmt::format(R"(<span class="s{}">{}</span>)", color->second,
                             input.runs.size() == 1 ? label : escape_html(phase.name));
      }
    }
    bars += fmt::format("</span><span>{}</span>", human_duration(total));
  }
  if (bars.empty()) return "";
  return fmt::format(
      R"(<h2>Where the time went</h2><div class="phases">{}</div><div class="legend phase-legend">{}</div>)",
      bars, names);
}

std::string record_section(const ReportInput& input) {
  std::string html;
  for (const ReportRun& run : input.runs) {
    if (run.record.empty()) continue;
    std::string rows;
    for (const auto& [name, text] : run.record) {
      rows += fmt::format("<tr><th>{}</th><td>{}</td></tr>", escape_html(name), escape_html(text));
    }
    html += fmt::format("<details{}><summary>{}</summary><table>{}</table></details>",
                        input.runs.size() == 1 ? " open" : "", escape_html(run.name), rows);
  }
  if (html.empty()) return "";
  return "<h2>What made it</h2><p>By the run's own record, which nobody has vouched for on this "
         "page: <code>alambic verify</code> does.</p>" +
         html;
}

std::string config_section(const ReportInput& input) {
  std::string html;
  for (const ReportRun& run : input.runs) {
    if (run.config.empty()) continue;
    html += fmt::format("<details{}><summary>{}</summary><pre>{}</pre></details>",
                        input.runs.size() == 1 ? " open" : "", escape_html(run.name),
                        escape_html(run.config));
  }
  return html.empty() ? "" : "<h2>Configuration</h2>" + html;
}

}  // namespace alambic
