// JSON as a template's values, and back.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "alambic/base/json_view.h"
#include "alambic/text/jinja/value.h"

namespace alambic::jinja {

/// Value that Python's json module would make of it.
Value value_of(const JsonView& json);

/// Values that came from JSON as JSON again; anything else is null.
nlohmann::ordered_json json_of(const Value& value);

}  // namespace alambic::jinja
