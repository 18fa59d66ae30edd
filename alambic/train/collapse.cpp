#include "alambic/train/collapse.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace alambic {

namespace {

/// Means of a figure over the window's steps: at first, now, and the largest there was.
struct Means {
  double first, now, best, longest;
};

struct Rule {
  const char* figure;
  bool (*broken)(const Means& means);
  std::string (*text)(const Means& means);
};

constexpr Rule rules[] = {
    {"completion_length",
     [](const Means& m) { return m.now > 2 * m.first && m.now > 0.8 * m.longest; },
     [](const Means& m) {
       return fmt::format("completions have grown from {:.0f} to {:.0f} tokens, of at most {:.0f}",
                          m.first, m.now, m.longest);
     }},
    {"eos_share", [](const Means& m) { return m.first >= 0.1 && m.now < 0.5 * m.first; },
     [](const Means& m) {
       return fmt::format("{:.0f} % of the completions end by themselves, {:.0f} % did at first",
                          100 * m.now, 100 * m.first);
     }},
    {"repetition", [](const Means& m) { return m.now > m.first + 0.3; },
     [](const Means& m) {
       return fmt::format(
           "completions repeat themselves: {:.0f} % of their 4-grams, {:.0f} % at first",
           100 * m.now, 100 * m.first);
     }},
    {"agreement", [](const Means& m) { return m.now < 0.5 * m.best; },
     [](const Means& m) {
       return fmt::format(
           "student and teacher prefer the same token in {:.0f} % of places, it was "
           "{:.0f} %",
           100 * m.now, 100 * m.best);
     }},
};

std::optional<double> figure_of(const Metrics& row, const char* name) {
  for (const auto& [key, value] : row) {
    if (key == name && std::isfinite(value)) return value;
  }
  return {};
}

}  // namespace

// Whether there are two windows to compare.
bool CollapseWatch::follow(Series& series, int64_t step, double value) const {
  series.last.emplace_back(step, value);
  ++series.seen;
  if (std::ssize(series.last) > window_) series.last.pop_front();
  if (std::ssize(series.last) < window_) return false;
  double sum = 0;
  for (const auto& [at, number] : series.last) sum += number;
  series.now = sum / static_cast<double>(window_);
  if (series.seen == window_) series.first = series.best = series.now;
  series.best = std::max(series.best, series.now);
  return series.seen >= 2 * window_;
}

std::vector<CollapseSign> CollapseWatch::see(const Metrics& row) {
  std::vector<CollapseSign> signs;
  const auto step = static_cast<int64_t>(figure_of(row, "step").value_or(0));
  for (const Rule& rule : rules) {
    const std::optional<double> value = figure_of(row, rule.figure);
    if (!value) continue;
    Series& series = series_[rule.figure];
    if (!follow(series, step, *value)) continue;
    const Means means{series.first, series.now, series.best, longest_};
    const bool broken = rule.broken(means);
    if (broken && !series.alarmed) {
      signs.push_back({.text = rule.text(means), .since = series.last.front().first});
    }
    series.alarmed = broken;
  }
  return signs;
}

}  // namespace alambic
