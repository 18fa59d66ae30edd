// Whole numbers of a row that 64 bits do not hold.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "alambic/text/jinja/value.h"

namespace alambic::jinja {

/// An "int" of any length. It is printed, compared, looked up and written as JSON with all its
/// digits, as Python's; computing with it is refused (too_long_number).
struct LongWhole : Object {
  explicit LongWhole(std::string decimal) : digits(std::move(decimal)) {}
  std::string_view type_name() const override { return "int"; }
  std::string repr(Interpreter&) const override { return digits; }
  bool negative() const { return digits.front() == '-'; }
  /// Python's float(): the nearest double. OverflowError beyond all of them.
  double number() const;
  std::string digits;  ///< in decimal, with '-' where negative, without leading zeros
};

/// The whole number that JSON writes so ("-12"): of 64 bits where they hold it.
Value whole_of_digits(std::string_view digits);

/// int or float in Python, of any length.
bool is_numeric(const Value& value);

/// The order of two numeric values as exact numbers; unordered with NaN.
std::partial_ordering order_numbers(const Value& a, const Value& b);

}  // namespace alambic::jinja
