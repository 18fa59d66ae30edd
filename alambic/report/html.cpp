#include "alambic/report/html.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

#include "alambic/report/facts.h"
#include "alambic/report/html_escape.h"
#include "alambic/report/page_sections.h"
#include "alambic/report/page_style.h"

namespace alambic {
namespace {

// In every page, and in none by another's hand: texts of the input are escaped.
constexpr std::string_view footer = "<footer>Made by alambic report.";

std::string facts_list(const ReportInput& input) {
  if (input.runs.size() != 1) return "";
  std::string html;
  for (const Fact& fact : facts_of(input.runs[0])) {
    html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(fact.label),
                        escape_html(fact.value));
  }
  return html.empty() ? "" : fmt::format(R"(<dl class="facts">{}</dl>)", html);
}

std::string body(const ReportInput& input) {
  const std::string summary = input.summary.empty() ? summary_of(input) : input.summary;
  std::string html = fmt::format(R"(<h1>{}</h1><p class="summary">{}</p>)",
                                 escape_html(input.title), escape_html(summary));
  html += facts_list(input);
  html += results_section(input.results);
  html += comparison_section(input);
  html += charts_section(input);
  const bool empty =
      input.charts.empty() && std::all_of(input.runs.begin(), input.runs.end(),
                                          [](const ReportRun& run) { return run.metrics.empty(); });
  if (empty) {
    html += R"(<h2>Learning</h2><p class="empty">metrics.jsonl holds no steps yet, )"
            "so there are no curves to draw.</p>";
  }
  html += phases_section(input);
  html += samples_section(input);
  html += record_section(input);
  html += config_section(input);
  return html;
}

}  // namespace

std::string render_report(const ReportInput& input) {
  return fmt::format(
      "<!doctype html>\n"
      R"(<html lang="en"><head><meta charset="utf-8">)"
      R"(<meta http-equiv="Content-Security-Policy" )"
      R"(content="default-src 'none'; style-src 'unsafe-inline'">)"
      R"(<meta name="viewport" content="width=device-width, initial-scale=1">)"
      "<title>{}</title>\n<style>{}</style></head>\n<body><main>\n{}\n"
      "{} This page needs no network.</footer></main></body></html>\n",
      escape_html(input.title), page_style(), body(input), footer);
}

bool is_report(const fs::path& path) { return read_file(path).find(footer) != std::string::npos; }

void write_report(const fs::path& path, const ReportInput& input) {
  write_file(path, render_report(input));
}

}  // namespace alambic
