#include "alambic/base/json_fields.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/json_nan.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

// nlohmann's get<int64_t>() wraps numbers beyond 2^63.
bool is_small_integer(const Json& value) {
  return value.is_number_integer() && std::fabs(value.get<double>()) < 0x1p31;
}

bool is_list_of(const Json& list, bool (*fits)(const Json&)) {
  return list.is_array() && std::ranges::all_of(list, fits);
}

}  // namespace

std::string json_excerpt(const Json& value) { return printable(python_json(value, -1)); }

bool JsonFields::has(const std::string& key) const { return !value(key).is_null(); }

const Json& JsonFields::value(const std::string& key) const {
  static const Json null;
  if (!json.is_object()) return null;
  const auto found = json.find(key);
  return found == json.end() ? null : *found;
}

int64_t JsonFields::integer(const std::string& key) const {
  const Json& found = value(key);
  expect(found.is_number_integer(), key, "an integer");
  expect(is_small_integer(found), key, "an integer between -2^31 and 2^31");
  return found.get<int64_t>();
}

double JsonFields::number(const std::string& key) const {
  expect(value(key).is_number(), key, "a number");
  expect(json_nan_word(value(key)).empty(), key, "a finite number");
  return value(key).get<double>();
}

bool JsonFields::flag(const std::string& key) const {
  expect(value(key).is_boolean(), key, "true or false");
  return value(key).get<bool>();
}

std::string JsonFields::text(const std::string& key) const {
  expect(value(key).is_string(), key, "a string");
  return value(key).get<std::string>();
}

int64_t JsonFields::integer(const std::string& key, int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}

double JsonFields::number(const std::string& key, double otherwise) const {
  return has(key) ? number(key) : otherwise;
}

bool JsonFields::flag(const std::string& key, bool otherwise) const {
  return has(key) ? flag(key) : otherwise;
}

bool JsonFields::truth(const std::string& key, bool otherwise) const {
  return has(key) ? flag(key) : otherwise && !json.contains(key);
}

std::string JsonFields::text(const std::string& key, const std::string& otherwise) const {
  return has(key) ? text(key) : otherwise;
}

std::vector<std::string> JsonFields::texts(const std::string& key) const {
  const bool fits = is_list_of(value(key), [](const Json& one) { return one.is_string(); });
  expect(fits, key, "a list of strings");
  return value(key).get<std::vector<std::string>>();
}

std::vector<int64_t> JsonFields::integers(const std::string& key) const {
  expect(is_list_of(value(key), is_small_integer), key, "a list of integers");
  return value(key).get<std::vector<int64_t>>();
}

std::vector<double> JsonFields::numbers(const std::string& key) const {
  const bool fits = is_list_of(
      value(key), [](const Json& one) { return one.is_number() && json_nan_word(one).empty(); });
  expect(fits, key, "a list of finite numbers");
  return value(key).get<std::vector<double>>();
}

JsonFields JsonFields::object(const std::string& key) const {
  static const Json empty = Json::object();
  if (!has(key)) return {empty, where + ", " + key};
  expect(value(key).is_object(), key, "an object");
  return {value(key), where + ", " + key};
}

void JsonFields::wrong(const std::string& key, const std::string& expected) const {
  const bool there = json.is_object() && json.contains(key);
  throw input_error("cannot read {}: \"{}\" should be {}, found {}", where, printable(key),
                    expected, there ? json_excerpt(json[key]) : "nothing");
}

}  // namespace alambic
