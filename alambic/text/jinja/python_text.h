// Values as Python prints them.
#pragma once

#include <string>

#include "alambic/text/jinja/interpreter.h"

namespace alambic::jinja {

/// str(value)
std::string to_text(Interpreter& interpreter, const Value& value);
/// repr(value): strings in quotes
std::string repr(Interpreter& interpreter, const Value& value);
std::string repr_of_text(std::string_view text);
/// The shortest digits that mean the same number: "1.0", "1e-07", "inf".
std::string repr_of_float(double number);
/// False for objects that print as an address in memory.
bool is_printable_value(const Value& value);

}  // namespace alambic::jinja
