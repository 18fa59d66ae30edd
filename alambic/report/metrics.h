// metrics.jsonl: a row of named numbers per optimizer step (docs/formats.md lists the names).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "alambic/report/json_lines.h"

namespace alambic {

using MetricValue = std::variant<double, int64_t, std::string>;

struct MetricsRow {
  std::vector<std::pair<std::string, MetricValue>> entries;

  void add(std::string name, MetricValue value) {
    entries.emplace_back(std::move(name), std::move(value));
  }
  /// The number of that name; nothing when it is missing or a string.
  std::optional<double> number(std::string_view name) const;
};

/// Appends rows; see JsonLinesWriter for what resuming and values that are not finite do.
class MetricsWriter {
 public:
  explicit MetricsWriter(const fs::path& path, std::optional<int64_t> resume_step = {})
      : lines_(path, resume_step) {}
  void append(const MetricsRow& row);

 private:
  JsonLinesWriter lines_;
};

/// null reads as NaN, true as 1. A nested value is an input error.
std::vector<MetricsRow> read_metrics(const fs::path& path);

}  // namespace alambic
