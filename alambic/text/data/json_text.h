// JSON as text, cut into its parts without being read: where a value ends, what an object holds.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alambic {

/// The end of the value that begins at `at`: of an object or a list the place after its bracket, of
/// a string after its quote; of anything else where a comma, a bracket, a colon or white space
/// follows. `lines`: it does not go beyond its line, broken or not. A value that never ends ends
/// with the text.
size_t json_value_end(std::string_view text, size_t at, bool lines = false);

/// A field of an object: its name as it is written, quotes and escapes included, and its value.
struct JsonMember {
  std::string_view name, value;
};

/// The fields of an object and the entries of a list. `text` must be valid JSON of that kind.
std::vector<JsonMember> json_members(std::string_view object);
std::vector<std::string_view> json_entries(std::string_view list);

/// A string as JSON, with quotes and escapes.
std::string json_string(std::string_view text);

/// The text of a JSON string that is valid; its escapes are read.
std::string json_unquoted(std::string_view quoted);

}  // namespace alambic
