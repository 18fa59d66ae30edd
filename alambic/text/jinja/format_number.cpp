#include <algorithm>
#include <cctype>
#include <cmath>

#include "alambic/text/jinja/format.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/unicode.h"
#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

std::string in_base(uint64_t number, char type) {
  switch (type) {
    case 'x':
      return fmt::format("{:x}", number);
    case 'X':
      return fmt::format("{:X}", number);
    case 'o':
      return fmt::format("{:o}", number);
    case 'b':
      return fmt::format("{:b}", number);
    default:
      return fmt::format("{}", number);
  }
}

std::string printed(const char* format, int precision, double number) {
  std::string text(400 + static_cast<size_t>(precision), '\0');
  const int size = std::snprintf(text.data(), text.size(), format, precision, number);
  text.resize(static_cast<size_t>(std::max(size, 0)));
  return text;
}

// The digits of a number that is not negative.
std::string float_digits(double number, const FormatSpec& spec) {
  if (spec.precision > 1000) throw not_built("a precision above 1000");
  if (!std::isfinite(number)) {
    const bool capitals = spec.type == 'F' || spec.type == 'E' || spec.type == 'G';
    const std::string text = std::isnan(number) ? "nan" : "inf";
    return capitals ? upper(text) : text;
  }
  const int precision = static_cast<int>(spec.precision < 0 ? 6 : spec.precision);
  switch (spec.type) {
    case 'f':
    case 'F':
      return printed(spec.alternate ? "%#.*f" : "%.*f", precision, number);
    case 'e':
      return printed(spec.alternate ? "%#.*e" : "%.*e", precision, number);
    case 'E':
      return printed(spec.alternate ? "%#.*E" : "%.*E", precision, number);
    case 'G':
      return printed(spec.alternate ? "%#.*G" : "%.*G", precision, number);
    case '%':
      return printed("%.*f", precision, number * 100) + "%";
    case 'g':
    case 'n':
      return printed(spec.alternate ? "%#.*g" : "%.*g", precision, number);
    default:
      break;
  }
  if (spec.precision < 0) return repr_of_float(number);
  // Without a type: as 'g', with at least one digit behind the point.
  std::string text = printed("%.*g", std::max(precision, 1), number);
  const bool plain = text.find('e') == text.npos && text.find('.') == text.npos;
  if (plain && text.size() >= static_cast<size_t>(std::max(precision, 1))) {
    return printed("%.*e", std::max(precision, 1) - 1, number);
  }
  return plain ? text + ".0" : text;
}

void group_digits(std::string& digits, const FormatSpec& spec) {
  if (spec.grouping == 0) return;
  const size_t size =
      (spec.type == 'x' || spec.type == 'X' || spec.type == 'b' || spec.type == 'o') ? 4 : 3;
  size_t end = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
  if (spec.type != 'x' && spec.type != 'X') {
    end = std::min(digits.find_first_not_of("0123456789"), digits.size());
  }
  for (size_t at = end; at > size; at -= size) digits.insert(at - size, 1, spec.grouping);
}

}  // namespace

std::string pad(Budget& budget, std::string text, const FormatSpec& spec, char align) {
  if (spec.width <= 0) return text;
  const int64_t missing = spec.width - character_count(text);
  if (missing <= 0) return text;
  const int64_t padding = total(missing, static_cast<int64_t>(spec.fill.size()));
  budget.check_single(padding);
  budget.text(padding + static_cast<int64_t>(text.size()));
  const int64_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  std::string padded;
  for (int64_t i = 0; i < left; ++i) padded += spec.fill;
  padded += text;
  for (int64_t i = left; i < missing; ++i) padded += spec.fill;
  return padded;
}

std::string format_number(Budget& budget, const Value& value, FormatSpec spec) {
  const bool as_float =
      value.is_float() || std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  std::string prefix;
  std::string digits;
  bool negative = false;
  if (as_float && spec.type != 'd') {
    const double number = value.number();
    negative = std::signbit(number) && !std::isnan(number);
    digits = float_digits(std::abs(number), spec);
  } else {
    if (spec.precision >= 0) {
      throw value_error("Precision not allowed in integer format specifier");
    }
    const int64_t number = value.whole();
    negative = number < 0;
    digits = in_base(negative ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number),
                     spec.type);
    if (spec.alternate && spec.type != 0 && spec.type != 'd' && spec.type != 'n') {
      prefix = std::string("0") + spec.type;
    }
  }
  group_digits(digits, spec);
  const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  const char align = spec.align == 0 ? '>' : spec.align;
  if (align != '=') return pad(budget, sign + prefix + digits, spec, align);
  spec.width -= static_cast<int64_t>(sign.size() + prefix.size());
  return sign + prefix + pad(budget, digits, spec, '>');
}

}  // namespace alambic::jinja
