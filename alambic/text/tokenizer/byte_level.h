// GPT-2's way to write any byte as a visible character, so that a vocabulary is plain text.
// Source: `bytes_to_unicode` of openai/gpt-2, encoder.py.
#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// The character that stands for a byte, as UTF-8 (one or two bytes).
std::string_view byte_to_character(unsigned char byte);

/// The byte that a character stands for, or -1.
int character_to_byte(char32_t character);

/// GPT-2's pattern, which the pre-tokenizer ByteLevel uses.
inline constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace alambic
