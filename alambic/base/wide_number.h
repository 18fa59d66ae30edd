// Numbers of a JSON text that simdjson refuses: whole ones that 64 bits do not hold, and floats
// beyond a double. Python reads them; people's rows have them, and transformers' unlimited
// "model_max_length" (31 digits). They pass through simdjson as marked strings.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

namespace alambic {

/// The same text with such numbers as marked strings.
std::string with_marked_numbers(std::string_view bytes);

/// The text of such a number ("12345678901234567890123", "1e400"); nothing for any other value.
std::optional<std::string_view> wide_number(simdjson::dom::element element);

/// A text with marked strings as it was.
std::string without_marks(std::string json);

}  // namespace alambic
