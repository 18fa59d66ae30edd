#include "alambic/text/jinja/python_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "alambic/base/utf8.h"
#include "alambic/text/jinja/long_whole.h"
#include "alambic/text/jinja/unicode.h"

namespace alambic::jinja {
namespace {

std::string repr_of_items(Interpreter& interpreter, const Values& items) {
  std::string text;
  for (const Value& item : items) {
    if (!text.empty()) text += ", ";
    text += repr(interpreter, item);
    interpreter.budget.check_single(static_cast<int64_t>(text.size()));
  }
  return text;
}

std::string repr_of_list(Interpreter& interpreter, const List& list) {
  const std::string inside = repr_of_items(interpreter, list.items);
  if (list.is_tuple()) return "(" + inside + (list.items.size() == 1 ? ",)" : ")");
  if (list.kind == List::Kind::keys) return "dict_keys([" + inside + "])";
  if (list.kind == List::Kind::values) return "dict_values([" + inside + "])";
  if (list.kind == List::Kind::items) return "dict_items([" + inside + "])";
  return "[" + inside + "]";
}

std::string repr_of_dict(Interpreter& interpreter, const Dict& dict) {
  std::string text;
  for (const auto& [key, value] : dict.entries()) {
    if (!text.empty()) text += ", ";
    text += repr(interpreter, key) + ": " + repr(interpreter, value);
    interpreter.budget.check_single(static_cast<int64_t>(text.size()));
  }
  return "{" + text + "}";
}

void append_escaped(std::string& out, char32_t c, char quote) {
  if (c == static_cast<char32_t>(quote) || c == '\\') {
    out += '\\';
    out += static_cast<char>(c);
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (is_printable(c)) {
    append_utf8(out, c);
  } else if (c < 0x100) {
    out += fmt::format("\\x{:02x}", static_cast<uint32_t>(c));
  } else if (c < 0x10000) {
    out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
  } else {
    out += fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
  }
}

}  // namespace

std::string repr_of_text(std::string_view text) {
  const bool doubles = text.find('\'') != text.npos && text.find('"') == text.npos;
  const char quote = doubles ? '"' : '\'';
  std::string out(1, quote);
  for (size_t i = 0; i < text.size();) append_escaped(out, next_code_point(text, i), quote);
  return out + quote;
}

std::string repr_of_float(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto [end, error] =
      std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::scientific);
  const std::string text(buffer, end);
  const size_t e = text.find('e');
  const int exponent = std::atoi(text.c_str() + e + 1);
  if (exponent >= 16 || exponent < -4) return text;
  const bool negative = text[0] == '-';
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  if (exponent < 0) {
    digits = "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  } else {
    const auto point = static_cast<size_t>(exponent) + 1;
    if (digits.size() < point) digits.append(point - digits.size(), '0');
    digits.insert(point, ".");
    if (digits.back() == '.') digits += '0';
  }
  return (negative ? "-" : "") + digits;
}

std::string repr(Interpreter& interpreter, const Value& value) {
  const Budget::Level level(interpreter.budget);
  interpreter.budget.spend(1);
  if (const std::string* text = value.string()) {
    interpreter.budget.text(static_cast<int64_t>(text->size()), true);
    const std::string quoted = repr_of_text(*text);
    return value.is_markup() ? "Markup(" + quoted + ")" : quoted;
  }
  if (value.is_none()) return "None";
  if (value.is_bool()) return value.whole() != 0 ? "True" : "False";
  if (value.is_int()) return fmt::format("{}", value.whole());
  if (value.is_float()) return repr_of_float(value.number());
  if (const List* list = value.list()) return repr_of_list(interpreter, *list);
  if (const Dict* dict = value.dict()) return repr_of_dict(interpreter, *dict);
  return value.object()->repr(interpreter);
}

std::string to_text(Interpreter& interpreter, const Value& value) {
  if (const std::string* text = value.string()) return *text;
  if (value.is_undefined()) return "";
  return repr(interpreter, value);
}

bool is_printable_value(const Value& value) {
  return value.object() == nullptr || value.is_undefined() || value.as<Range>() != nullptr ||
         value.as<LongWhole>() != nullptr;
}

}  // namespace alambic::jinja
