#pragma once

#include <string>

#include "alambic/text/jinja/interpreter.h"

namespace alambic::jinja {

/// Python's json.dumps with transformers' defaults: tojson(ensure_ascii=False, indent=None,
/// separators=None, sort_keys=False). TypeErrors for what JSON cannot hold.
std::string dump_json(Interpreter& interpreter, const Value& value, const Arguments& arguments);

}  // namespace alambic::jinja
