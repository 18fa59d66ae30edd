#include "alambic/text/final_answer.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "alambic/base/trimmed.h"

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

// A double would take long integers for one another.
bool are_integers(std::string_view a, std::string_view b) {
  return a.find('.') == a.npos && b.find('.') == b.npos;
}

std::string_view without_zeros(std::string_view digits) {
  const size_t sign = digits.starts_with('-') ? 1 : 0;
  const size_t first = std::min(digits.find_first_not_of('0', sign), digits.size() - 1);
  return first == sign ? digits : digits.substr(first);
}

bool same_number(std::string_view found, std::string_view wanted) {
  if (found == wanted) return true;
  if (are_integers(found, wanted)) {
    return found.starts_with('-') == wanted.starts_with('-') &&
           without_zeros(found) == without_zeros(wanted);
  }
  const auto a = value(found), b = value(wanted);
  return a && b && *a == *b;
}

std::string_view without_stop(std::string_view text) {
  text = trimmed(text);
  if (text.ends_with('.')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool answers_correctly(std::string_view text, std::string_view expected) {
  // A data set may write its answers as "1,000", "$5" or with the whole solution before "####".
  const std::optional<std::string> wanted = final_answer("#### " + std::string(expected));
  if (wanted) {
    const std::optional<std::string> found = final_answer(text);
    return found && same_number(*found, *wanted);
  }
  const size_t mark = text.rfind("####"), own_mark = expected.rfind("####");
  if (mark == text.npos) return false;
  if (own_mark != expected.npos) expected.remove_prefix(own_mark + 4);
  return !without_stop(expected).empty() &&
         without_stop(text.substr(mark + 4)) == without_stop(expected);
}

bool answers_correctly(std::string_view text, const std::vector<std::string>& accepted) {
  return std::ranges::any_of(
      accepted, [&](const std::string& answer) { return answers_correctly(text, answer); });
}

}  // namespace alambic
