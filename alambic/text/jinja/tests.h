#pragma once

#include <string>

#include "alambic/text/jinja/interpreter.h"

namespace alambic::jinja {

/// Whether `value is name(arguments)`.
bool run_test(Interpreter& interpreter, const std::string& name, const Value& value,
              const Arguments& arguments);

}  // namespace alambic::jinja
