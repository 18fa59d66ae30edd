// Walking through values, and picking parts of them by number.
#pragma once

#include "alambic/text/jinja/budget.h"
#include "alambic/text/jinja/value.h"

namespace alambic::jinja {

bool is_iterable(const Value& value);
/// The items of anything that can be walked through: characters of a string, keys of a dict. Uses a
/// generator up. TypeError for others ("'int' object is not iterable").
Values items_of(Budget& budget, const Value& value);

/// value[i]; nothing when there is none (or `value` has no numbered items).
std::optional<Value> item_at(const Value& value, int64_t i);

/// value[start:stop:step], None where left out.
Value slice(Budget& budget, const Value& value, const Value& start, const Value& stop,
            const Value& step);

}  // namespace alambic::jinja
