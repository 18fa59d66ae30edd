#include "alambic/model/config.h"

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
  return json[key];
}

int64_t Config::integer(const std::string& key, int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}

int64_t Config::size(const std::string& key) const {
  const int64_t value = integer(key);
  if (value < 1 || value >= int64_t{1} << 31) wrong(*this, key, "a positive size below 2^31");
  return value;
}

int64_t Config::size(const std::string& key, int64_t otherwise) const {
  return has(key) ? size(key) : otherwise;
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
