#include "alambic/base/json_nan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

struct NanWord {
  std::string_view word;
  double value;
};
constexpr NanWord nan_words[] = {{"NaN", std::numeric_limits<double>::quiet_NaN()},
                                 {"Infinity", std::numeric_limits<double>::infinity()},
                                 {"-Infinity", -std::numeric_limits<double>::infinity()}};

// What no file has by chance: a NUL before the word.
std::string as_string(std::string_view word) { return std::string(1, '\0').append(word); }

// Calls visit(first, one past the last) for every such word outside of strings.
template <class Visit>
void for_each_nan(std::string_view text, const Visit& visit) {
  for (size_t i = 0; i < text.size();) {
    i = text.find_first_of("\"NI", i);
    if (i == text.npos) return;
    if (text[i] == '"') {
      i = json_string_end(text, i);
      continue;
    }
    const std::string_view word = text[i] == 'N' ? "NaN" : "Infinity";
    if (!text.substr(i).starts_with(word)) {
      ++i;
      continue;
    }
    const bool negative = text[i] == 'I' && i > 0 && text[i - 1] == '-';
    const size_t first = negative ? i - 1 : i;
    i += word.size();
    visit(first, i);
  }
}

std::string replaced(std::string_view text,
                     const std::function<std::string(std::string_view)>& by) {
  std::string made;
  size_t at = 0;
  for_each_nan(text, [&](size_t first, size_t last) {
    made += text.substr(at, first - at);
    made += by(text.substr(first, last - first));
    at = last;
  });
  made += text.substr(at);
  return made;
}

void for_each_value(Json& value, const std::function<void(Json&)>& visit) {
  if (!value.is_structured()) return visit(value);
  for (Json& inner : value) for_each_value(inner, visit);
}

}  // namespace

size_t json_string_end(std::string_view text, size_t at) {
  for (size_t i = at + 1; i < text.size(); ++i) {
    i = text.find_first_of("\"\\\n", i);
    if (i == text.npos || text[i] == '\n') break;
    if (text[i] == '"') return i + 1;
    ++i;  // what is escaped
  }
  return std::min(text.find('\n', at), text.size());
}

bool has_json_nan(std::string_view text) {
  if (text.find("NaN") == text.npos && text.find("Infinity") == text.npos) return false;
  bool found = false;
  for_each_nan(text, [&](size_t, size_t) { found = true; });
  return found;
}

std::string json_nan_as_null(std::string_view text) {
  return replaced(text, [](std::string_view) { return "null"; });
}

std::string json_nan_as_strings(std::string_view text) {
  return replaced(text, [](std::string_view word) { return Json(as_string(word)).dump(); });
}

void nan_of_strings(Json& value) {
  for_each_value(value, [](Json& one) {
    for (const auto& [word, number] : nan_words) {
      if (one.is_string() && one.get_ref<const std::string&>() == as_string(word)) one = number;
    }
  });
}

std::string_view json_nan_word(const Json& value) {
  if (!value.is_number_float() || std::isfinite(value.get<double>())) return "";
  const double number = value.get<double>();
  return std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
}

std::string python_json(const Json& value, int indent) {
  Json copy = value;
  for_each_value(copy, [](Json& one) {
    if (const std::string_view word = json_nan_word(one); !word.empty()) one = as_string(word);
  });
  std::string text = copy.dump(indent, ' ', false, Json::error_handler_t::replace);
  for (const auto& [word, number] : nan_words) {
    const std::string written = Json(as_string(word)).dump();
    for (size_t at = 0; (at = text.find(written, at)) != text.npos; at += word.size()) {
      text.replace(at, written.size(), word);
    }
  }
  return text;
}

}  // namespace alambic
