// Python's ==, <, `in` and hash.
#pragma once

#include "alambic/text/jinja/budget.h"
#include "alambic/text/jinja/value.h"

namespace alambic::jinja {

bool equal(const Value& a, const Value& b);
/// The same, paid for.
bool equal(Budget& budget, const Value& a, const Value& b);
/// TypeError for values that have no order ("'<' not supported between …"); `op` is what it says.
bool less(const Value& a, const Value& b, std::string_view op = "<");
/// One of == != < <= > >=
bool compare(Budget& budget, const Value& a, const Value& b, std::string_view op);
/// Whether `item in container`; TypeError when it holds nothing.
bool contains(Budget& budget, const Value& container, const Value& item);
/// TypeError when unhashable.
size_t hash_of(const Value& value);

}  // namespace alambic::jinja
