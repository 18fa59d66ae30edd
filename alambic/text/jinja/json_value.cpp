#include "alambic/text/jinja/json_value.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "alambic/base/wide_number.h"
#include "alambic/text/jinja/long_whole.h"

namespace alambic::jinja {
namespace {

// A number that the JSON reader does not hold, as Python's json reads it.
Value from_number(std::string_view text) {
  if (text.find_first_of(".eE") == text.npos) return whole_of_digits(text);
  return std::strtod(std::string(text).c_str(), nullptr);  // infinite
}

Value from_json(simdjson::dom::element json) {
  switch (json.type()) {
    case simdjson::dom::element_type::ARRAY: {
      Values items;
      for (const auto item : simdjson::dom::array(json)) items.push_back(from_json(item));
      return make_list(std::move(items));
    }
    case simdjson::dom::element_type::OBJECT: {
      Dict dict;
      for (const auto& [key, item] : simdjson::dom::object(json)) {
        dict.set(Value(key), from_json(item));
      }
      return make_dict(std::move(dict));
    }
    case simdjson::dom::element_type::INT64:
      return int64_t(json);
    case simdjson::dom::element_type::UINT64:
      return whole_of_digits(fmt::format("{}", uint64_t(json)));
    case simdjson::dom::element_type::DOUBLE:
      return double(json);
    case simdjson::dom::element_type::STRING:
      if (const auto number = wide_number(json)) return from_number(*number);
      return Value(std::string_view(json));
    case simdjson::dom::element_type::BOOL:
      return bool(json);
    default:
      return {};
  }
}

}  // namespace

Value value_of(const JsonView& json) { return from_json(json.element()); }

nlohmann::ordered_json json_of(const Value& value) {
  if (value.is_bool()) return value.whole() != 0;
  if (value.is_int()) return value.whole();
  if (value.is_float()) return value.number();
  if (const std::string* text = value.string()) return *text;
  if (const auto* number = value.as<LongWhole>()) return number->digits;
  if (const List* list = value.list()) {
    auto json = nlohmann::ordered_json::array();
    for (const Value& item : list->items) json.push_back(json_of(item));
    return json;
  }
  if (const Dict* dict = value.dict()) {
    auto json = nlohmann::ordered_json::object();
    for (const auto& [key, item] : dict->entries()) {
      if (const std::string* name = key.string()) json[*name] = json_of(item);
    }
    return json;
  }
  return nullptr;
}

}  // namespace alambic::jinja
