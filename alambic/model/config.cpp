#include "alambic/model/config.h"

#include <fmt/format.h>

#include <cmath>

#include "alambic/base/error.h"

namespace alambic {

namespace {

[[noreturn]] void wrong(const Config& config, const std::string& key, const char* expected) {
  throw input_error("cannot read {}: \"{}\" should be {}, found {}", config.where, key, expected,
                    config.json.contains(key) ? config.json[key].dump() : "nothing");
}

}  // namespace

bool Config::has(const std::string& key) const {
  return json.is_object() && json.contains(key) && !json[key].is_null();
}

std::string Config::architecture() const {
  if (!has("architectures")) return "";
  const auto& list = json["architectures"];
  if (!list.is_array() || list.empty() || !list[0].is_string()) {
    wrong(*this, "architectures", "a list of names");
  }
  return list[0];
}

int64_t Config::integer(const std::string& key) const {
  if (!has(key) || !json[key].is_number_integer()) wrong(*this, key, "an integer");
  // Beyond 2^63 get<int64_t>() would wrap.
  const double value = json[key].get<double>();
  if (std::fabs(value) >= 0x1p31) wrong(*this, key, "an integer between -2^31 and 2^31");
  return json[key];
}

int64_t Config::integer(const std::string& key, int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}

int64_t Config::length(const std::string& key) const {
  const int64_t value = integer(key);
  if (value < 1) wrong(*this, key, "a positive size below 2^31");
  return value;
}

int64_t Config::length(const std::string& key, int64_t otherwise) const {
  return has(key) ? length(key) : otherwise;
}

int64_t Config::count(const std::string& key, CountKind kind) const {
  const int64_t value = length(key);
  check_count(limits, kind, value, fmt::format("\"{}\"", key), where);
  return value;
}

int64_t Config::size(const std::string& key) const { return count(key, CountKind::size); }

int64_t Config::size(const std::string& key, int64_t otherwise) const {
  return has(key) ? size(key) : otherwise;
}

int64_t Config::layers(const std::string& key) const {
  if (layers_instead == 0) return count(key, CountKind::layers);
  check_count(limits, CountKind::layers, layers_instead, "the number of layers asked for", where);
  return layers_instead;
}

int64_t Config::experts(const std::string& key) const { return count(key, CountKind::experts); }

int64_t Config::experts(const std::string& key, int64_t otherwise) const {
  return has(key) ? experts(key) : otherwise;
}

double Config::number(const std::string& key, double otherwise) const {
  if (!has(key)) return otherwise;
  if (!json[key].is_number()) wrong(*this, key, "a number");
  return json[key];
}

bool Config::flag(const std::string& key, bool otherwise) const {
  if (!has(key)) return otherwise;
  if (!json[key].is_boolean()) wrong(*this, key, "true or false");
  return json[key];
}

std::string Config::text(const std::string& key, const std::string& otherwise) const {
  if (!has(key)) return otherwise;
  if (!json[key].is_string()) wrong(*this, key, "a string");
  return json[key];
}

void Config::require(bool holds, const std::string& key, const std::string& expected) const {
  if (holds) return;
  throw input_error("cannot build the model of {}: \"{}\" is {}, but only {} is supported", where,
                    key, json.contains(key) ? json[key].dump() : "missing", expected)
      .with_hint("this setting is on the list of what Alambic will read next (issue 4)");
}

}  // namespace alambic
