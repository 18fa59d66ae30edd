#include "alambic/text/final_answer.h"

#include <cctype>
#include <charconv>

namespace alambic {

std::optional<std::string> final_answer(std::string_view text) {
  const size_t mark = text.rfind("####");
  if (mark == std::string_view::npos) return std::nullopt;
  text.remove_prefix(mark + 4);
  size_t i = 0;
  while (i < text.size() && (text[i] == ' ' || text[i] == '$')) ++i;
  std::string number;
  if (i < text.size() && text[i] == '-') number += text[i++];
  for (; i < text.size(); ++i) {
    const bool digit = std::isdigit(static_cast<unsigned char>(text[i])) != 0;
    if (!digit && text[i] != '.' && text[i] != ',') break;
    if (text[i] != ',') number += text[i];
  }
  while (number.ends_with('.')) number.pop_back();
  if (number.empty() || number == "-") return std::nullopt;
  return number;
}

namespace {

std::optional<double> value(std::string_view number) {
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return value;
}

}  // namespace

bool answers_correctly(std::string_view text, std::string_view expected) {
  const std::optional<std::string> found = final_answer(text);
  // A data set may write its answers as "1,000", "$5" or with the whole solution before "####".
  const std::optional<std::string> wanted = final_answer("#### " + std::string(expected));
  if (!found || !wanted) return false;
  if (*found == *wanted) return true;
  const auto a = value(*found), b = value(*wanted);
  return a && b && *a == *b;
}

}  // namespace alambic
