#include "alambic/remote/server_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "alambic/base/json_fields.h"
#include "alambic/base/printable.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

// Differences from which grades are no longer called the same (docs/remote.md).
constexpr double audible = 1e-3;

// Infinite where they are not of the same text.
double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!std::isnan(difference)) largest = std::max(largest, difference);
  }
  return largest;
}

std::string shown(const std::string& text) {
  return text.empty() ? "not told" : printable(text.substr(0, 100));
}
std::string shown(double number) { return fmt::format("{:.6g}", number); }

template <class Value>
void compare(std::vector<std::string>& changes, const char* what, const Value& before,
             const Value& now) {
  if (before == now) return;
  changes.push_back(fmt::format("{} {} ({} before)", what, shown(now), shown(before)));
}

}  // namespace

ServerRecord server_record(const std::string& teacher, const RemoteGrader& grader, int64_t k,
                           double temperature) {
  const ServerFacts& facts = grader.facts();
  return {.teacher = teacher,
          .address = grader.settings().endpoint.name(),
          .protocol = protocol_name(facts.protocol),
          .model = facts.model,
          .version = facts.version,
          .tokenizer = grader.tokenizer().digest(),
          .k = k,
          .temperature = temperature,
          .positions = facts.positions,
          .noise = facts.noise,
          .logp = facts.logp};
}

Json json_of(const ServerRecord& record) {
  Json logp = Json::array();
  for (const float value : record.logp) logp.push_back(std::isnan(value) ? Json() : Json(value));
  return {{"teacher", record.teacher},
          {"address", record.address},
          {"protocol", record.protocol},
          {"model", record.model},
          {"version", record.version},
          {"tokenizer", record.tokenizer},
          {"topk", record.k},
          {"temperature", record.temperature},
          {"context", record.positions},
          {"noise", record.noise},
          {"probe_logp", std::move(logp)}};
}

ServerRecord server_record_of(const Json& json, const std::string& where) {
  const JsonFields fields{json, where};
  ServerRecord record{.teacher = fields.text("teacher"),
                      .address = fields.text("address"),
                      .protocol = fields.text("protocol"),
                      .model = fields.text("model"),
                      .version = fields.text("version"),
                      .tokenizer = fields.text("tokenizer"),
                      .k = fields.integer("topk"),
                      .temperature = fields.number("temperature"),
                      .positions = fields.integer("context"),
                      .noise = fields.number("noise")};
  const Json& logp = fields.value("probe_logp");
  fields.expect(logp.is_array(), "probe_logp", "a list of numbers");
  for (const Json& value : logp) {
    fields.expect(value.is_null() || value.is_number(), "probe_logp", "a list of numbers");
    record.logp.push_back(value.is_null() ? std::nanf("") : value.get<float>());
  }
  return record;
}

ServerChanges changes_of(const ServerRecord& before, const ServerRecord& now, double noise) {
  ServerChanges changes;
  compare(changes.other, "model", before.model, now.model);
  compare(changes.other, "protocol", before.protocol, now.protocol);
  compare(changes.other, "tokenizer", before.tokenizer, now.tokenizer);
  compare(changes.other, "candidates a token", static_cast<double>(before.k),
          static_cast<double>(now.k));
  compare(changes.other, "temperature", before.temperature, now.temperature);
  if (before.noise <= audible && now.noise > audible) {
    changes.other.push_back(
        fmt::format("it grades one text differently by {:.3g} nats from one time to the next, and "
                    "did not before",
                    now.noise));
  }
  const double difference = largest_difference(before.logp, now.logp);
  if (difference > noise) {
    changes.other.push_back(
        fmt::format("it grades the probe's text differently by up to {:.3g} nats: these are other "
                    "weights",
                    difference));
  } else if (difference > audible) {
    changes.perhaps.push_back(
        fmt::format("it grades the probe's text differently by up to {:.3g} nats", difference));
  }
  compare(changes.perhaps, "version", before.version, now.version);
  return changes;
}

}  // namespace alambic
