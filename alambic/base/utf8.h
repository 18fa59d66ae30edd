// UTF-8 by hand: what the tokenizer needs to know about characters.
#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// Bytes of the character that begins with `lead`; `text` must be valid UTF-8.
size_t utf8_length(unsigned char lead);

/// The code point at `position`, which moves past it; `text` must be valid UTF-8.
char32_t next_code_point(std::string_view text, size_t& position);

void append_utf8(std::string& text, char32_t code_point);

/// Each maximal broken part becomes U+FFFD, as Python's `errors="replace"` and Rust's
/// `from_utf8_lossy` do. Valid text comes back unchanged.
std::string replace_invalid_utf8(std::string_view bytes);

bool is_valid_utf8(std::string_view bytes);

/// Unicode's White_Space property.
bool is_space(char32_t code_point);
/// Categories Nd, Nl, No.
bool is_numeric(char32_t code_point);
/// Categories P* and the visible ASCII characters that are neither letter nor digit.
bool is_punctuation(char32_t code_point);
/// A character of `\w`: letters, marks, decimal digits, letter numbers, connectors, joiners.
bool is_word(char32_t code_point);

}  // namespace alambic
