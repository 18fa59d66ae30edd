#include "alambic/report/facts.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "alambic/base/units.h"
#include "alambic/report/metric_info.h"

namespace alambic {
namespace {

constexpr size_t max_facts = 6;  // one line of the page

struct Ends {
  double first = 0, last = 0;
  int count = 0;
};

Ends ends_of(const ReportRun& run, std::string_view key) {
  Ends ends;
  for (const MetricsRow& row : run.metrics) {
    const std::optional<double> value = row.number(key);
    if (!value || !std::isfinite(*value)) continue;
    if (ends.count++ == 0) ends.first = *value;
    ends.last = *value;
  }
  return ends;
}

double total(const ReportRun& run, std::string_view key) {
  double sum = 0;
  for (const MetricsRow& row : run.metrics) {
    const double value = row.number(key).value_or(0);
    if (std::isfinite(value) && value > 0) sum += value;
  }
  return sum;
}

double greatest(const ReportRun& run, std::string_view key) {
  double max = 0;
  for (const MetricsRow& row : run.metrics) {
    const double value = row.number(key).value_or(0);
    if (std::isfinite(value)) max = std::max(max, value);
  }
  return max;
}

int64_t last_step(const ReportRun& run) {
  const double step = greatest(run, "step");
  return step > 0 && step < 9e18 ? std::llround(step) : std::ssize(run.metrics);
}

// Validation metrics in the order of the file; the loss when there is none.
std::vector<std::string> main_metrics(const ReportRun& run) {
  std::vector<std::string> keys;
  for (const MetricsRow& row : run.metrics) {
    for (const auto& [key, value] : row.entries) {
      if (!key.starts_with("valid_") || std::holds_alternative<std::string>(value)) continue;
      if (key.find("seconds") != std::string::npos || key.find("tokens") != std::string::npos)
        continue;
      if (key.find("entropy") != std::string::npos) continue;  // says little by itself
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  std::stable_sort(keys.begin(), keys.end(), [](const std::string& a, const std::string& b) {
    return metric_rank(a) < metric_rank(b);
  });
  if (keys.empty() && ends_of(run, "loss").count > 0) keys.push_back("loss");
  return keys;
}

std::string lower_first(std::string text) {
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1]))) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

std::string extent(const ReportRun& run) {
  const double seconds = greatest(run, "seconds");
  std::string text = with_separators(last_step(run)) + " steps";
  if (seconds > 0) text += " in " + human_duration(seconds);
  return text;
}

}  // namespace

std::vector<Fact> facts_of(const ReportRun& run) {
  if (run.metrics.empty()) return {};
  std::vector<Fact> facts{{"Steps", with_separators(last_step(run))}};
  if (const double seconds = greatest(run, "seconds"); seconds > 0) {
    facts.push_back({"Time", human_duration(seconds)});
  }
  if (const double tokens = total(run, "tokens"); tokens > 0) {
    facts.push_back({"Tokens", human_count(tokens)});
  }
  for (const std::string& key : main_metrics(run)) {
    const Ends ends = ends_of(run, key);
    if (ends.count == 0 || facts.size() >= max_facts - 1) continue;
    const MetricInfo info = metric_info(key);
    const std::string last = format_metric(ends.last, info.kind);
    facts.push_back(
        {info.label, ends.count > 1 ? format_metric(ends.first, info.kind) + " → " + last : last});
  }
  if (const double memory = greatest(run, "peak_memory_bytes"); memory > 0) {
    facts.push_back({"Peak memory", human_bytes(memory)});
  }
  return facts;
}

std::string summary_of(const ReportInput& input) {
  if (input.runs.size() == 1) {
    const ReportRun& run = input.runs[0];
    if (run.metrics.empty()) return "No step has been recorded yet.";
    std::string text = extent(run);
    for (const std::string& key : main_metrics(run)) {
      const Ends ends = ends_of(run, key);
      if (ends.count < 2) continue;
      const MetricInfo info = metric_info(key);
      return fmt::format("{}: {} went from {} to {}.", text, lower_first(info.label),
                         format_metric(ends.first, info.kind), format_metric(ends.last, info.kind));
    }
    return text + ".";
  }
  std::string text;
  for (const ReportRun& run : input.runs) {
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", run.name,
                        run.metrics.empty() ? "no step yet" : extent(run));
  }
  return text.empty() ? text : "A comparison of " + text + ".";
}

std::vector<PhaseTime> phase_times(const ReportRun& run) {
  constexpr std::string_view suffix = "_seconds";
  std::vector<PhaseTime> phases;
  double sum = 0;
  for (const MetricsRow& row : run.metrics) {
    for (const auto& [key, value] : row.entries) {
      if (!key.ends_with(suffix) || key.size() == suffix.size()) continue;
      const std::string name = key.substr(0, key.size() - suffix.size());
      const auto same = [&](const PhaseTime& phase) { return phase.name == name; };
      if (std::any_of(phases.begin(), phases.end(), same)) continue;
      phases.push_back({name, total(run, key)});
      sum += phases.back().seconds;
    }
  }
  const double rest = greatest(run, "seconds") - sum;
  if (sum > 0 && rest > 0.005 * sum) phases.push_back({"other", rest});
  std::erase_if(phases, [](const PhaseTime& phase) { return !(phase.seconds > 0); });
  return phases;
}

}  // namespace alambic
