#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace alambic {

/// RFC 8785 text of a value: names in the order of their UTF-16 code units, numbers as ECMAScript
/// writes them, no spaces. Two equal values have equal text, so that a digest of it means
/// something. Input errors: an integer beyond 2^53, which other readers would round; a number that
/// is not finite; text that is not UTF-8.
std::string canonical_json(const nlohmann::json& value);

}  // namespace alambic
