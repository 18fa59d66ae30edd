// Jinja's filters and where they are.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "alambic/text/jinja/interpreter.h"

namespace alambic::jinja {

using Filter = Value (*)(Interpreter&, const Value&, const Arguments&);
using FilterTable = std::unordered_map<std::string_view, Filter>;

Value apply_filter(Interpreter& interpreter, const std::string& name, const Value& value,
                   const Arguments& arguments);
bool is_filter(const std::string& name);

// The parts of the table.
const FilterTable& text_filters();       ///< text_filters.cpp
const FilterTable& sequence_filters();   ///< sequence_filters.cpp
const FilterTable& selection_filters();  ///< selection_filters.cpp: map, select, sort, groupby…

}  // namespace alambic::jinja
