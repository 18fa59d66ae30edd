// Python's + - * / // % ** on values.
#pragma once

#include <string_view>

#include "alambic/text/jinja/interpreter.h"

namespace alambic::jinja {

/// Whole numbers have 64 bits: a result beyond them is an OverflowError, not a longer number.
Value binary(Interpreter& interpreter, std::string_view op, const Value& a, const Value& b);
/// -value, or +value.
Value negate(const Value& value, bool minus);

}  // namespace alambic::jinja
