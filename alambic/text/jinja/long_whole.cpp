#include "alambic/text/jinja/long_whole.h"

#include <charconv>
#include <cmath>

#include "alambic/text/jinja/whole.h"

namespace alambic::jinja {
namespace {

std::partial_ordering order_long(const LongWhole& a, const LongWhole& b) {
  if (a.negative() != b.negative()) return a.negative() ? 0 <=> 1 : 1 <=> 0;
  const std::strong_ordering sizes = a.digits.size() == b.digits.size()
                                         ? a.digits <=> b.digits
                                         : a.digits.size() <=> b.digits.size();
  return a.negative() ? 0 <=> sizes : sizes;
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
  if (y != nullptr) return 0 <=> order_short(*y, a);
  if (a.is_whole() && b.is_whole()) return a.whole() <=> b.whole();
  if (a.is_whole()) return order(a.whole(), b.number());
  if (b.is_whole()) return 0 <=> order(b.whole(), a.number());
  return a.number() <=> b.number();
}

}  // namespace alambic::jinja
