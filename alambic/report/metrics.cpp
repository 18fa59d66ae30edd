#include "alambic/report/metrics.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/sha256.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

MetricValue metric_value(const Json& value, const std::string& name, const fs::path& path) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (value.is_boolean()) return int64_t{value.get<bool>()};
  if (value.is_number_unsigned() &&
      value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return static_cast<double>(value.get<uint64_t>());
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_number()) return value.get<double>();
  throw input_error("cannot read {}: the metric \"{}\" is {}, expected a number or a string",
                    path.string(), name, value.type_name());
}

}  // namespace

std::optional<double> MetricsRow::number(std::string_view name) const {
  for (const auto& [key, value] : entries) {
    if (key != name) continue;
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  }
  return {};
}

void MetricsWriter::append(const MetricsRow& row) {
  Json line = Json::object();
  for (const auto& [name, value] : row.entries) {
    std::visit([&, key = &name](const auto& held) { line[*key] = held; }, value);
  }
  line[chain_field] = chain_link(head_);
  head_ = {head_.lines + 1, sha256(lines_.append(line))};
}

std::vector<MetricsRow> read_metrics(const fs::path& path) {
  std::vector<MetricsRow> rows;
  for (const Json& line : read_json_lines(path)) {
    MetricsRow& row = rows.emplace_back();
    for (const auto& [name, value] : line.items()) {
      if (name != chain_field) row.add(name, metric_value(value, name, path));
    }
  }
  return rows;
}

}  // namespace alambic
