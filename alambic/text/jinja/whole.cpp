#include "alambic/text/jinja/whole.h"

#include <bit>
#include <cmath>

#include "alambic/base/utf8.h"

namespace alambic::jinja {
namespace {

using Wide = __int128;
using UnsignedWide = unsigned __int128;

uint64_t magnitude(int64_t number) {
  return number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
}

}  // namespace

Failure too_long_number() { return {"OverflowError", "a whole number has more than 64 bits"}; }

std::optional<int64_t> whole_of(double number) {
  constexpr double limit = 9223372036854775808.0;  // 2^63
  if (!(number >= -limit && number < limit)) return std::nullopt;
  return static_cast<int64_t>(number);
}

std::partial_ordering order(int64_t a, double b) {
  const auto whole = whole_of(b);
  if (!whole) return 0.0 <=> b;  // b is beyond every whole number, or NaN
  if (a != *whole) return a <=> *whole;
  return static_cast<double>(*whole) <=> b;
}

int64_t floor_quotient(int64_t a, int64_t b) {
  if (b == 0) throw Failure("ZeroDivisionError", "integer division or modulo by zero");
  if (b == -1) {
    int64_t result = 0;
    if (__builtin_sub_overflow(int64_t{0}, a, &result)) throw too_long_number();
    return result;
  }
  return a / b - ((a % b != 0) && ((a < 0) != (b < 0)) ? 1 : 0);
}

int64_t floor_remainder(int64_t a, int64_t b) {
  if (b == 0) throw Failure("ZeroDivisionError", "integer modulo by zero");
  const int64_t rest = b == -1 ? 0 : a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double true_quotient(int64_t a, int64_t b) {
  if (b == 0) throw Failure("ZeroDivisionError", "division by zero");
  constexpr uint64_t exact = uint64_t{1} << 53;  // doubles hold every whole number up to here
  if (magnitude(a) <= exact && magnitude(b) <= exact) {
    return static_cast<double>(a) / static_cast<double>(b);
  }
  if (a == 0) return b < 0 ? -0.0 : 0.0;
  // 64 bits of the quotient and one that says whether more follow: rounded once, at the end.
  const int shift = 64 + std::countl_zero(magnitude(a));
  const UnsignedWide scaled = static_cast<UnsignedWide>(magnitude(a)) << shift;
  UnsignedWide quotient = scaled / magnitude(b);
  if (scaled % magnitude(b) != 0) quotient |= 1;
  const double size = std::ldexp(static_cast<double>(quotient), -shift);
  return (a < 0) != (b < 0) ? -size : size;
}

int64_t whole_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) {
      throw too_long_number();
    }
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) throw too_long_number();
  }
  return result;
}

int64_t round_to_zeros(int64_t number, int64_t zeros) {
  if (zeros > 19) return 0;  // half of 10^20 is more than any number
  Wide unit = 1;
  for (int64_t i = 0; i < zeros; ++i) unit *= 10;
  const Wide size = magnitude(number);
  const Wide rest = size % unit;
  Wide rounded = size - rest;
  const bool odd = rounded / unit % 2 != 0;
  if (rest * 2 > unit || (rest * 2 == unit && odd)) rounded += unit;
  if (number < 0) rounded = -rounded;
  if (rounded < INT64_MIN || rounded > INT64_MAX) throw too_long_number();
  return static_cast<int64_t>(rounded);
}

int64_t total(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? -1 : product;
}

std::string character_of(int64_t number) {
  if (number < 0 || number > 0x10FFFF) {
    throw Failure("OverflowError", "%c arg not in range(0x110000)");
  }
  if (number >= 0xD800 && number < 0xE000) throw value_error("%c of a surrogate, {}", number);
  std::string text;
  append_utf8(text, static_cast<char32_t>(number));
  return text;
}

}  // namespace alambic::jinja
