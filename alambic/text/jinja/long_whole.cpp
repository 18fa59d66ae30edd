#include "alambic/text/jinja/long_whole.h"

#include <charconv>
#include <cmath>
#include <compare>

#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

// What b is to a, of what a is to b; `0 <=> order` says the same, and reads as a null pointer to
// lint.
std::partial_ordering reversed(std::partial_ordering order) {
  if (std::is_lt(order)) return std::partial_ordering::greater;
  return std::is_gt(order) ? std::partial_ordering::less : order;
}

std::partial_ordering order_long(const LongWhole& a, const LongWhole& b) {
  if (a.negative() != b.negative()) return a.negative() ? 0 <=> 1 : 1 <=> 0;
  const std::partial_ordering sizes = a.digits.size() == b.digits.size()
                                          ? a.digits <=> b.digits
                                          : a.digits.size() <=> b.digits.size();
  return a.negative() ? reversed(sizes) : sizes;
}

// A long number against one that is not: every number of 64 bits is nearer to 0.
std::partial_ordering order_short(const LongWhole& a, const Value& b) {
  const double sign = a.negative() ? -1 : 1;
  if (!b.is_float() || std::isinf(b.number()) || std::isnan(b.number())) {
    return b.is_float() ? 0.0 <=> b.number() : sign <=> 0.0;
  }
  if (whole_of(b.number())) return sign <=> 0.0;
  return order_long(a, LongWhole(fmt::format("{:.0f}", b.number())));  // exact: it is whole
}

}  // namespace

double LongWhole::number() const {
  const double nearest = std::strtod(digits.c_str(), nullptr);
  if (std::isinf(nearest)) throw Failure("OverflowError", "int too large to convert to float");
  return nearest;
}

Value whole_of_digits(std::string_view digits) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc()) return number;
  return std::make_shared<LongWhole>(std::string(digits));
}

bool is_numeric(const Value& value) {
  return value.is_number() || value.as<LongWhole>() != nullptr;
}

std::partial_ordering order_numbers(const Value& a, const Value& b) {
  const auto* x = a.as<LongWhole>();
  const auto* y = b.as<LongWhole>();
  if (x != nullptr && y != nullptr) return order_long(*x, *y);
  if (x != nullptr) return order_short(*x, b);
  if (y != nullptr) return reversed(order_short(*y, a));
  if (a.is_whole() && b.is_whole()) return a.whole() <=> b.whole();
  if (a.is_whole()) return order(a.whole(), b.number());
  if (b.is_whole()) return reversed(order(b.whole(), a.number()));
  return a.number() <=> b.number();
}

}  // namespace alambic::jinja
