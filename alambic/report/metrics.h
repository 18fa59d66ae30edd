// metrics.jsonl: a row of named numbers per optimizer step (docs/formats.md lists the names).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "alambic/report/json_lines.h"
#include "alambic/report/log_chain.h"

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

/// Appends rows as a chain (log_chain.h); see JsonLinesWriter for what resuming and values that are
/// not finite do.
class MetricsWriter {
 public:
  explicit MetricsWriter(const fs::path& path, std::optional<int64_t> resume_step = {})
      : lines_(path, resume_step), head_(log_head_of(path)) {}
  void append(const MetricsRow& row);
  const LogHead& head() const { return head_; }

 private:
  JsonLinesWriter lines_;
  LogHead head_;
};

/// null reads as NaN, true as 1; the chain's field is left out. A nested value is an input error.
std::vector<MetricsRow> read_metrics(const fs::path& path);

}  // namespace alambic
