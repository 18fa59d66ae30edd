// NaN, Infinity and -Infinity, which Python's json reads and writes though JSON has no such
// numbers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace alambic {

/// The place after the string that begins at `at`. A raw line break ends a broken one.
size_t json_string_end(std::string_view text, size_t at);

/// Whether one of the three stands in the text outside of its strings.
bool has_json_nan(std::string_view text);

/// The text with null in their place.
std::string json_nan_as_null(std::string_view text);

/// The text with strings in their place that nan_of_strings() knows.
std::string json_nan_as_strings(std::string_view text);
/// Makes those strings the numbers that they stand for, wherever they are in the value.
void nan_of_strings(nlohmann::ordered_json& value);

/// "NaN", "Infinity" or "-Infinity" of such a number, "" of any other value.
std::string_view json_nan_word(const nlohmann::ordered_json& value);

/// The value with these numbers as words, as Python's json.dumps writes it; nlohmann's dump() has
/// null there. Bytes that are not UTF-8 become U+FFFD. `indent`: of a level; -1: all in one line.
std::string python_json(const nlohmann::ordered_json& value, int indent);

}  // namespace alambic
