#include "alambic/base/wide_number.h"

#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace alambic {
namespace {

// Of Unicode's private use.
constexpr std::string_view mark = "\uE0F0number:";

// The length of the number at the beginning, by JSON's grammar; 0 where it is none.
size_t number_length(std::string_view text) {
  size_t i = text.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const size_t begin = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i - begin;
  };
  const bool zero = i < text.size() && text[i] == '0';
  const size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return 0;
  if (i < text.size() && text[i] == '.' && (++i, digits() == 0)) return 0;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (digits() == 0) return 0;
  }
  return i;
}

bool is_wide(std::string_view number) {
  if (number.find_first_of(".eE") == number.npos) {
    uint64_t positive = 0;
    int64_t negative = 0;
    const char* const end = number.data() + number.size();
    return std::from_chars(number.data(), end, positive).ec != std::errc() &&
           std::from_chars(number.data(), end, negative).ec != std::errc();
  }
  return std::isinf(std::strtod(std::string(number).c_str(), nullptr));
}

}  // namespace

std::string with_marked_numbers(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() + 64);
  bool in_string = false;
  for (size_t i = 0; i < bytes.size();) {
    const char c = bytes[i];
    const size_t number =
        !in_string && (c == '-' || (c >= '0' && c <= '9')) ? number_length(bytes.substr(i)) : 0;
    if (number > 0) {
      const std::string_view digits = bytes.substr(i, number);
      text += is_wide(digits) ? fmt::format("\"{}{}\"", mark, digits) : std::string(digits);
      i += number;
      continue;
    }
    if (c == '"') in_string = !in_string;
    const size_t taken = in_string && c == '\\' && i + 1 < bytes.size() ? 2 : 1;
    text += bytes.substr(i, taken);
    i += taken;
  }
  return text;
}

std::string without_marks(std::string json) {
  const std::string marked = fmt::format("\"{}", mark);
  for (size_t at = 0; (at = json.find(marked, at)) != json.npos;) {
    json.erase(at, marked.size());
    json.erase(json.find('"', at), 1);
  }
  return json;
}

std::optional<std::string_view> wide_number(simdjson::dom::element element) {
  std::string_view text;
  if (element.get(text) || !text.starts_with(mark)) return std::nullopt;
  return text.substr(mark.size());
}

}  // namespace alambic
