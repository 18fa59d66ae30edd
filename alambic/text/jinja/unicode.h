// Python's view of text: characters are code points, with Python's classes and case rules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace alambic::jinja {

std::u32string to_code_points(std::string_view text);
std::string to_utf8(std::u32string_view code_points);
int64_t character_count(std::string_view text);
/// The i-th character; it must be there.
std::string character_at(std::string_view text, int64_t i);
/// Byte offset of the i-th character, at most the text's size.
size_t byte_offset(std::string_view text, int64_t i);

/// str.isspace() of one character
bool is_space_character(char32_t c);
bool is_printable(char32_t c);
bool is_letter(char32_t c);
bool is_decimal(char32_t c);
bool is_cased(char32_t c);
bool is_upper_character(char32_t c);
bool is_lower_character(char32_t c);

/// Full case mapping ("ß" to "SS").
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string title(std::string_view text);
std::string capitalize(std::string_view text);
std::string swap_case(std::string_view text);
std::string case_fold(std::string_view text);

/// The text without the characters of `characters` (white space when null) at the chosen ends.
std::string strip(std::string_view text, const std::string* characters, bool left, bool right);

}  // namespace alambic::jinja
