// value.name and value[key], by the rules of Jinja's sandbox.
#pragma once

#include <string>

#include "alambic/text/jinja/interpreter.h"

namespace alambic::jinja {

/// A method or attribute first, then an item. Undefined when there is neither; undefined with a
/// SecurityError for names that the sandbox hides (underscores, methods that change a value).
Value get_attribute(Interpreter& interpreter, const Value& object, const std::string& name);
/// An item first, then a method or attribute.
Value get_item(Interpreter& interpreter, const Value& object, const Value& key);
/// A path such as "function.name" or "0.id", item by item; `otherwise` where a part is undefined.
Value follow_path(Interpreter& interpreter, Value value, const Value& path,
                  const Value* otherwise = nullptr);

}  // namespace alambic::jinja
