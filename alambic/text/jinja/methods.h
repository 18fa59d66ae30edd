// Methods of Python's strings, lists, tuples, dicts and numbers.
#pragma once

#include <optional>
#include <string>

#include "alambic/text/jinja/interpreter.h"

namespace alambic::jinja {

/// The method bound to `object`; nothing when Python's type has none of this name. Calling one that
/// Python has and we do not fails with its name.
std::optional<Value> find_method(const Value& object, const std::string& name);

using Method = Value (*)(Interpreter&, const Value& object, const Arguments&);
/// Null when there is none (string_methods.cpp).
Method find_string_method(const std::string& name);

}  // namespace alambic::jinja
