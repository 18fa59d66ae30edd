// Title and format of a metric, from its name in metrics.jsonl.
#pragma once

#include <string>
#include <string_view>

namespace alambic {

enum class MetricKind { number, share, seconds, bytes, count };

struct MetricInfo {
  std::string label;  ///< "Reverse KL"
  std::string unit;   ///< "nats per token"; may be empty
  MetricKind kind = MetricKind::number;
};

/// Knows the names of docs/formats.md; guesses label and kind of others from the words in them.
MetricInfo metric_info(std::string_view key);

/// Orders metrics by how much they say about a model: exact match and accuracy, then the loss,
/// then the rest. "valid_" in front changes nothing.
int metric_rank(std::string_view key);

/// 0.314 as a share -> "31.4 %", 83 seconds -> "1:23". "not finite" for NaN and infinities.
std::string format_metric(double value, MetricKind kind);

}  // namespace alambic
