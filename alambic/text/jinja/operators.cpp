#include "alambic/text/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "alambic/text/jinja/format.h"
#include "alambic/text/jinja/long_whole.h"
#include "alambic/text/jinja/markup.h"
#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

[[noreturn]] void unsupported(std::string_view op, const Value& a, const Value& b) {
  throw type_error("unsupported operand type(s) for {}: '{}' and '{}'",
                   op == "**" ? "** or pow()" : op, type_name(a), type_name(b));
}

Value on_wholes(std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflows = false;
  if (op == "+") {
    overflows = __builtin_add_overflow(a, b, &result);
  } else if (op == "-") {
    overflows = __builtin_sub_overflow(a, b, &result);
  } else if (op == "*") {
    overflows = __builtin_mul_overflow(a, b, &result);
  } else if (op == "//") {
    result = floor_quotient(a, b);
  } else if (op == "%") {
    result = floor_remainder(a, b);
  } else if (op == "/") {
    return true_quotient(a, b);
  } else {
    if (b < 0 && a == 0) {
      throw Failure("ZeroDivisionError", "0.0 cannot be raised to a negative power");
    }
    if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
    result = whole_power(a, b);
  }
  if (overflows) throw too_long_number();
  return result;
}

double float_modulo(double a, double b) {
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

// As Python: a quotient of zero has the sign of the exact one.
double float_quotient(double a, double b) {
  const double quotient = std::floor((a - float_modulo(a, b)) / b + 0.25);
  return quotient == 0 ? std::copysign(0.0, a / b) : quotient;
}

Value on_floats(std::string_view op, double a, double b) {
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (op == "**") return std::pow(a, b);
  if (b == 0) {
    throw Failure("ZeroDivisionError", op == "/"   ? "float division by zero"
                                       : op == "%" ? "float modulo"
                                                   : "float floor division by zero");
  }
  if (op == "/") return a / b;
  if (op == "%") return float_modulo(a, b);
  return float_quotient(a, b);
}

Value repeat(Interpreter& interpreter, const Value& row, int64_t times) {
  times = std::max<int64_t>(times, 0);
  if (const std::string* text = row.string()) {
    const int64_t size = total(static_cast<int64_t>(text->size()), times);
    interpreter.budget.text(size);
    std::string result;
    result.reserve(static_cast<size_t>(size));
    for (int64_t i = 0; i < times && !text->empty(); ++i) result += *text;
    return text_like(row, std::move(result));
  }
  const List& list = *row.list();
  interpreter.budget.spend(total(static_cast<int64_t>(list.items.size()), times));
  Values items;
  for (int64_t i = 0; i < times && !list.items.empty(); ++i) {
    items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return make_list(std::move(items), list.is_tuple() ? List::Kind::tuple : List::Kind::list);
}

double float_of(const Value& value) {
  const auto* number = value.as<LongWhole>();
  return number == nullptr ? value.number() : number->number();
}

bool is_row(const Value& value) {
  return value.is_string() || (value.list() != nullptr && !value.list()->is_view());
}

Value add_rows(Interpreter& interpreter, const Value& a, const Value& b) {
  if (a.is_string()) {
    if (!b.is_string()) {
      throw type_error("can only concatenate str (not \"{}\") to str", type_name(b));
    }
    if (a.is_markup() != b.is_markup()) {
      return add_rows(interpreter, escaped(interpreter, a), escaped(interpreter, b));
    }
    interpreter.budget.text(static_cast<int64_t>(a.string()->size() + b.string()->size()));
    return text_like(a, *a.string() + *b.string());
  }
  const List& left = *a.list();
  const List* right = b.list();
  if (right == nullptr || right->is_view() || right->is_tuple() != left.is_tuple()) {
    throw type_error("can only concatenate {} (not \"{}\") to {}",
                     left.is_tuple() ? "tuple" : "list", type_name(b),
                     left.is_tuple() ? "tuple" : "list");
  }
  interpreter.budget.spend(static_cast<int64_t>(left.items.size() + right->items.size()));
  Values items = left.items;
  items.insert(items.end(), right->items.begin(), right->items.end());
  return make_list(std::move(items), left.is_tuple() ? List::Kind::tuple : List::Kind::list);
}

}  // namespace

Value binary(Interpreter& interpreter, std::string_view op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    return a.is_whole() && b.is_whole() ? on_wholes(op, a.whole(), b.whole())
                                        : on_floats(op, a.number(), b.number());
  }
  if (is_numeric(a) && is_numeric(b)) {
    // One of them is long: a float beside it makes floats of both, as in Python.
    if (!a.is_float() && !b.is_float()) throw too_long_number();
    return on_floats(op, float_of(a), float_of(b));
  }
  if (op == "%" && a.is_string()) {
    return format_percent(interpreter, a, b);
  }
  for (const Value* side : {&a, &b}) {
    if (const auto* missing = side->as<Undefined>()) missing->fail();
  }
  if (op == "+" && is_row(a)) return add_rows(interpreter, a, b);
  if (op == "*" && is_row(a) && b.is_whole()) return repeat(interpreter, a, b.whole());
  if (op == "*" && is_row(b) && a.is_whole()) return repeat(interpreter, b, a.whole());
  if (op == "*" && (is_row(a) || is_row(b))) {
    if (is_numeric(is_row(a) ? b : a) && !(is_row(a) ? b : a).is_float()) throw too_long_number();
    throw type_error("can't multiply sequence by non-int of type '{}'",
                     type_name(is_row(a) ? b : a));
  }
  unsupported(op, a, b);
}

Value negate(const Value& value, bool minus) {
  if (const auto* missing = value.as<Undefined>()) missing->fail();
  if (const auto* number = value.as<LongWhole>()) {
    if (!minus) return value;
    return whole_of_digits(number->negative() ? number->digits.substr(1) : "-" + number->digits);
  }
  if (!value.is_number()) {
    throw type_error("bad operand type for unary {}: '{}'", minus ? "-" : "+", type_name(value));
  }
  if (value.is_float()) return minus ? -value.number() : value.number();
  return minus ? on_wholes("-", 0, value.whole()) : Value(value.whole());
}

}  // namespace alambic::jinja
