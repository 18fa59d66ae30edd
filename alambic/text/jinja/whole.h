// Whole numbers. Python's have no end and ours have 64 bits: each function gives Python's result or
// refuses; none wraps around.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "alambic/text/jinja/failure.h"

namespace alambic::jinja {

/// The refusal where Python goes on with a longer number: an OverflowError.
Failure too_long_number();

/// A float cut to a whole number; nothing where 64 bits do not hold it (infinity and NaN too).
std::optional<int64_t> whole_of(double number);

/// The order of a whole number and a float as exact numbers, not after rounding the first one.
std::partial_ordering order(int64_t a, double b);

/// a // b and a % b, rounded down as Python's. ZeroDivisionError.
int64_t floor_quotient(int64_t a, int64_t b);
int64_t floor_remainder(int64_t a, int64_t b);

/// a / b, the double next to the exact quotient. ZeroDivisionError.
double true_quotient(int64_t a, int64_t b);

/// base ** exponent, which is not negative.
int64_t whole_power(int64_t base, int64_t exponent);

/// round(number, -zeros): the multiple of 10^zeros next to it, the even one of two. zeros >= 0.
int64_t round_to_zeros(int64_t number, int64_t zeros);

/// a * b bytes or steps as a Budget counts them: -1, which it refuses, where that overflows.
int64_t total(int64_t a, int64_t b);

/// chr(number) in UTF-8, for %c. OverflowError outside of Unicode; ValueError for a surrogate,
/// which UTF-8 does not have.
std::string character_of(int64_t number);

}  // namespace alambic::jinja
