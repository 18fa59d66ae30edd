#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace alambic {

/// The accepted answers that a row's `answer` holds: a string, a number as it is written (an
/// exponent in plain digits), true as "True" and "true", as Python and JSON write it, or a list of
/// these. `json` is the field's value, valid JSON. An input error, which begins with `place`, for
/// anything else: null in a list, an object, a list in a list, an empty list.
std::vector<std::string> read_answers(const std::string& place, std::string_view json);

}  // namespace alambic
