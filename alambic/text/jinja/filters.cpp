// Filters of numbers and of any value, and the search for a filter's name.
#include "alambic/text/jinja/filters.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "alambic/text/jinja/attributes.h"
#include "alambic/text/jinja/json_dump.h"
#include "alambic/text/jinja/long_whole.h"
#include "alambic/text/jinja/methods.h"
#include "alambic/text/jinja/operators.h"
#include "alambic/text/jinja/python_text.h"
#include "alambic/text/jinja/unicode.h"
#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

Value absolute(Interpreter&, const Value& value, const Arguments& arguments) {
  const Bound none("abs", arguments, {});
  if (const auto* missing = value.as<Undefined>()) {
    throw type_error("bad operand type for abs(): 'Undefined' ({})", missing->message);
  }
  if (const auto* number = value.as<LongWhole>()) {
    return number->negative() ? negate(value, true) : value;
  }
  if (!value.is_number()) throw type_error("bad operand type for abs(): '{}'", type_name(value));
  if (value.is_float()) return std::abs(value.number());
  return value.whole() < 0 ? negate(value, true) : Value(value.whole());
}

Value attribute(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const std::string name = Bound("attr", arguments, {"name"}, 1).text(0);
  // Unlike a dot, this never falls back to an item.
  if (value.dict() != nullptr && !name.starts_with('_') && !find_method(value, name)) {
    return undefined(fmt::format("'dict object' has no attribute '{}'", name));
  }
  return get_attribute(interpreter, value, name);
}

Value otherwise(Interpreter&, const Value& value, const Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  const bool absent = value.is_undefined() || (bound.flag(1, false) && !truthy(value));
  return absent ? bound.get(0, Value("")) : value;
}

// A float as Python reads it from text: blanks around, underscores between digits.
std::optional<double> read_float(const std::string& text) {
  std::string digits = strip(text, nullptr, true, true);
  for (size_t i = 1; i + 1 < digits.size(); ++i) {
    if (digits[i] == '_' && std::isdigit(static_cast<unsigned char>(digits[i - 1])) != 0 &&
        std::isdigit(static_cast<unsigned char>(digits[i + 1])) != 0) {
      digits.erase(i, 1);
    }
  }
  const std::string lowered = lower(digits);
  const bool hexadecimal = lowered.find('x') != lowered.npos;
  const bool odd = lowered.find('(') != lowered.npos;  // strtod takes "nan(…)"
  if (digits.empty() || hexadecimal || odd) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(digits.c_str(), &end);
  return *end == '\0' ? std::optional(number) : std::nullopt;
}

std::optional<int64_t> read_whole(const std::string& text, int64_t base) {
  std::string digits = strip(text, nullptr, true, true);
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.erase(0, 1);
  const std::string prefix = lower(digits.substr(0, 2));
  const int64_t told = prefix == "0x" ? 16 : prefix == "0o" ? 8 : prefix == "0b" ? 2 : 0;
  if (told != 0 && (base == told || base == 0)) {
    digits.erase(0, 2);
    base = told;
  }
  if (base == 0) base = 10;
  for (size_t i = 1; i + 1 < digits.size(); ++i) {
    if (digits[i] == '_' && digits[i + 1] != '_') digits.erase(i, 1);
  }
  int64_t number = 0;
  if (base < 2 || base > 36 || digits.empty() || digits[0] == '-') return std::nullopt;
  if (negative) digits.insert(0, 1, '-');
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, static_cast<int>(base));
  if (end != digits.data() + digits.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) throw too_long_number();
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

// int(number)
Value whole_of_float(double number) {
  if (std::isnan(number)) throw value_error("cannot convert float NaN to integer");
  if (std::isinf(number)) {
    throw Failure("OverflowError", "cannot convert float infinity to integer");
  }
  const auto whole = whole_of(number);
  if (!whole) throw too_long_number();
  return *whole;
}

Value to_whole(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  const Value fallback = bound.get(0, int64_t{0});
  if (const std::string* text = value.string()) {
    interpreter.budget.text(static_cast<int64_t>(text->size()), true);
    if (const auto number = read_whole(*text, bound.whole(1, 10))) return *number;
    const auto real = read_float(*text);
    return real && std::isfinite(*real) ? whole_of_float(*real) : fallback;
  }
  if (const auto* missing = value.as<Undefined>()) missing->fail();
  if (value.is_float())
    return std::isnan(value.number()) ? fallback : whole_of_float(value.number());
  if (value.as<LongWhole>() != nullptr) return value;
  return value.is_whole() ? Value(value.whole()) : fallback;
}

Value to_float(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  const Value fallback = bound.get(0, 0.0);
  if (const auto* missing = value.as<Undefined>()) missing->fail();
  if (value.is_number()) return value.number();
  if (const auto* number = value.as<LongWhole>()) return number->number();
  if (!value.is_string()) return fallback;
  interpreter.budget.text(static_cast<int64_t>(value.string()->size()), true);
  const auto number = read_float(*value.string());
  return number ? Value(*number) : fallback;
}

// Python's round() of a float: halves to even, of the decimal number that is meant.
double round_half_even(double number, int64_t digits) {
  if (!std::isfinite(number) || digits > 320) return number;
  if (digits < -308) return std::copysign(0.0, number);
  if (digits >= 0) {
    char buffer[800];
    std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(digits), number);
    return std::strtod(buffer, nullptr);
  }
  const double unit = std::pow(10.0, static_cast<double>(-digits));
  const double rounded = std::nearbyint(number / unit) * unit;
  if (!std::isfinite(rounded)) {
    throw Failure("OverflowError", "rounded value too large to represent");
  }
  return rounded;
}

Value rounded(Interpreter&, const Value& value, const Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const std::string method = bound.text(1, "common");
  const int64_t precision = bound.whole(0, 0);
  if (method != "common" && method != "ceil" && method != "floor") {
    throw Failure("FilterArgumentError", "method must be common, ceil or floor");
  }
  if (value.as<LongWhole>() != nullptr) {
    if (method == "common" && precision >= 0) return value;
    throw too_long_number();
  }
  if (!value.is_number()) {
    throw type_error("type {} doesn't define __round__ method", type_name(value));
  }
  if (method == "common") {
    if (value.is_float()) return round_half_even(value.number(), precision);
    if (precision >= 0) return value.whole();
    return round_to_zeros(value.whole(), precision < -99 ? 99 : -precision);
  }
  if (value.is_whole() && precision >= 0) return value.number();
  const double unit = std::pow(10.0, static_cast<double>(precision));
  const double scaled = value.number() * unit;
  if (unit == 0) throw Failure("ZeroDivisionError", "float division by zero");
  if (std::isinf(unit)) throw Failure("OverflowError", "int too large to convert to float");
  if (std::isnan(scaled)) throw value_error("cannot convert float NaN to integer");
  if (std::isinf(scaled)) {
    throw Failure("OverflowError", "cannot convert float infinity to integer");
  }
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit;
}

Value file_size(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const bool binary = Bound("filesizeformat", arguments, {"binary"}).flag(0, false);
  const double bytes = to_float(interpreter, value, {}).number();
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return "1 Byte";
  if (bytes < base) return Value(fmt::format("{} Bytes", whole_of_float(bytes).whole()));
  const char* const names[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
  double unit = base;
  for (size_t i = 0; i < 8; ++i) {
    unit *= base;
    if (bytes >= unit && i < 7) continue;
    const std::string name = binary && i == 0 ? "K" : names[i];
    return Value(fmt::format("{:.1f} {}{}", base * bytes / unit, name, binary ? "iB" : "B"));
  }
  return {};
}

Value to_json(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  return Value(dump_json(interpreter, value, arguments));
}

Value refused(Interpreter&, const Value&, const Arguments&) {
  throw not_built("the filters pprint, random and urlize");
}

const FilterTable& own_filters() {
  static const FilterTable table = {{"abs", absolute},
                                    {"attr", attribute},
                                    {"d", otherwise},
                                    {"default", otherwise},
                                    {"filesizeformat", file_size},
                                    {"float", to_float},
                                    {"int", to_whole},
                                    {"round", rounded},
                                    {"tojson", to_json},
                                    {"pprint", refused},
                                    {"random", refused},
                                    {"urlize", refused}};
  return table;
}

Filter find_filter(const std::string& name) {
  for (const FilterTable* table :
       {&own_filters(), &text_filters(), &sequence_filters(), &selection_filters()}) {
    const auto found = table->find(name);
    if (found != table->end()) return found->second;
  }
  return nullptr;
}

}  // namespace

bool is_filter(const std::string& name) { return find_filter(name) != nullptr; }

Value apply_filter(Interpreter& interpreter, const std::string& name, const Value& value,
                   const Arguments& arguments) {
  const Budget::Level level(interpreter.budget);
  interpreter.budget.spend(1);
  const Filter filter = find_filter(name);
  if (filter == nullptr) {
    throw Failure("TemplateRuntimeError", fmt::format("No filter named '{}' found.", name));
  }
  return filter(interpreter, value, arguments);
}

}  // namespace alambic::jinja
